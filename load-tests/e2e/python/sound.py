"""Tones, and the ear that tells them apart."""

import numpy

RATE = 48_000
FRAME = RATE // 50
SILENT_BELOW = 0.003


def tone(hz, at):
    """Twenty milliseconds of a tone, from sample `at` on."""
    angles = (numpy.arange(at, at + FRAME) % RATE) * 2 * numpy.pi * hz / RATE
    return (numpy.sin(angles) * 12_000).astype(numpy.int16)


def loudest(frames):
    """The loudest frequency of some frames, 0 for silence."""
    if len(frames) < 10:
        return 0
    sound = numpy.concatenate(frames) / 32768
    if numpy.sqrt(numpy.mean(sound**2)) < SILENT_BELOW:
        return 0
    spectrum = numpy.abs(numpy.fft.rfft(sound * numpy.hanning(len(sound))))
    return float(numpy.argmax(spectrum[2:]) + 2) * RATE / len(sound)
