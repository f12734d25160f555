// Getting at a microphone, and saying in one word why we couldn't.

import { lasting } from './storage.js';

const CLEAN_UP_KEY = 'adda.cleanUp';
const DEVICE_KEY = 'adda.microphone';

/** `reason`: denied, missing, busy, insecure or failed. */
class MicrophoneError extends Error {
  constructor(reason) {
    super(`microphone: ${reason}`);
    this.reason = reason;
  }
}

const REASONS = {
  NotAllowedError: 'denied',
  SecurityError: 'denied',
  NotFoundError: 'missing',
  OverconstrainedError: 'missing',
  NotReadableError: 'busy',
  AbortError: 'busy',
};

export const microphoneAllowedHere = () => Boolean(navigator.mediaDevices?.getUserMedia);

export const cleansUp = () => lasting.get(CLEAN_UP_KEY) !== 'off';
export const setCleansUp = (on) => lasting.set(CLEAN_UP_KEY, on ? 'on' : 'off');

export const preferredMicrophone = () => lasting.get(DEVICE_KEY) ?? '';
export const preferMicrophone = (deviceId) => lasting.set(DEVICE_KEY, deviceId);

/** Opens the preferred microphone, or the default one when that is gone. */
export async function openMicrophone() {
  if (!microphoneAllowedHere()) throw new MicrophoneError('insecure');
  const deviceId = preferredMicrophone();
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: constraints(deviceId) });
    return stream.getAudioTracks()[0];
  } catch (error) {
    throw new MicrophoneError(REASONS[error.name] ?? 'failed');
  }
}

export async function devices(kind) {
  const all = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  return all.filter((device) => device.kind === kind && device.deviceId !== '');
}

function constraints(deviceId) {
  const cleanUp = cleansUp();
  return {
    ...(deviceId && { deviceId: { ideal: deviceId } }),
    channelCount: 1,
    echoCancellation: cleanUp,
    noiseSuppression: cleanUp,
    autoGainControl: cleanUp,
  };
}
