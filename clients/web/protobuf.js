// Protobuf frames by table: reads and writes the same objects that protobuf-JSON describes.
//
// Names are lowerCamelCase, enums are their names, 64-bit integers are decimal strings, and what a
// frame leaves out is absent. So the rest of the client sees one shape, whatever the frame was.

import { enumNumber, enumName, fieldsOf, isEnum, isMessage } from './messages.js';

const VARINT = 0;
const FIXED64 = 1;
const LENGTH = 2;
const FIXED32 = 5;
const DEPTH_MAX = 16;

const utf8 = new TextEncoder();
const text = new TextDecoder('utf-8', { fatal: true });

class MalformedFrame extends Error {}

export function encode(type, value) {
  const out = [];
  for (const field of fieldsOf(type).values()) {
    const given = value[field.name];
    if (given === undefined || given === null) continue;
    for (const item of itemsOf(field, given)) writeField(out, field, item);
  }
  return Uint8Array.from(out);
}

export function decode(type, bytes) {
  return readMessage(type, new Reader(bytes), 0);
}

function itemsOf(field, given) {
  if (field.type === 'map') return Object.entries(given).map(([key, value]) => ({ key, value }));
  return field.repeated ? given : [given];
}

function writeField(out, field, value) {
  if (field.type === 'float') {
    writeVarint(out, (field.number << 3) | FIXED32);
    const buffer = new DataView(new ArrayBuffer(4));
    buffer.setFloat32(0, value, true);
    for (let i = 0; i < 4; i += 1) out.push(buffer.getUint8(i));
  } else if (field.type === 'string' || field.type === 'bytes' || isMessage(field.type)) {
    const bytes = lengthDelimited(field.type, value);
    writeVarint(out, (field.number << 3) | LENGTH);
    writeVarint(out, bytes.length);
    for (const byte of bytes) out.push(byte);
  } else {
    writeVarint(out, (field.number << 3) | VARINT);
    writeVarint(out, scalarToInteger(field.type, value));
  }
}

function lengthDelimited(type, value) {
  if (type === 'string') return utf8.encode(value);
  if (type === 'bytes') return value;
  return encode(type, value);
}

function scalarToInteger(type, value) {
  if (type === 'bool') return value ? 1 : 0;
  return isEnum(type) ? enumNumber(type, value) : value;
}

function writeVarint(out, value) {
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest > 0x7fn) {
    out.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  out.push(Number(rest));
}

class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  get done() {
    return this.at >= this.bytes.length;
  }

  varint() {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (this.done) throw new MalformedFrame('frame ends inside a number');
      const byte = this.bytes[this.at];
      this.at += 1;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new MalformedFrame('number is too long');
  }

  take(length) {
    if (length > this.bytes.length - this.at) throw new MalformedFrame('frame ends inside a field');
    const part = this.bytes.subarray(this.at, this.at + length);
    this.at += length;
    return part;
  }

  skip(wireType) {
    if (wireType === VARINT) this.varint();
    else if (wireType === FIXED64) this.take(8);
    else if (wireType === LENGTH) this.take(Number(this.varint()));
    else if (wireType === FIXED32) this.take(4);
    else throw new MalformedFrame(`unknown wire type ${wireType}`);
  }
}

function readMessage(type, reader, depth) {
  if (depth > DEPTH_MAX) throw new MalformedFrame('messages are nested too deeply');
  const fields = fieldsOf(type);
  const message = {};
  while (!reader.done) {
    const tag = Number(reader.varint());
    const field = fields.get(tag >>> 3);
    const wireType = tag & 7;
    if (field && wireTypeFits(field, wireType)) readField(message, field, wireType, reader, depth);
    else reader.skip(wireType);
  }
  return message;
}

function wireTypeFits(field, wireType) {
  if (field.type === 'float') return wireType === FIXED32;
  if (['string', 'bytes', 'map'].includes(field.type) || isMessage(field.type))
    return wireType === LENGTH;
  return wireType === VARINT || (wireType === LENGTH && field.repeated);
}

function readField(message, field, wireType, reader, depth) {
  if (field.type === 'map') {
    const entry = readMessage(
      'MapEntry',
      new Reader(reader.take(Number(reader.varint()))),
      depth + 1,
    );
    message[field.name] = { ...message[field.name], [entry.key ?? '']: entry.value ?? '' };
    return;
  }
  if (!field.repeated) {
    message[field.name] = readValue(field.type, reader, depth);
    return;
  }
  const list = (message[field.name] ??= []);
  const packed = wireType === LENGTH && wireTypeFits({ type: field.type, repeated: false }, VARINT);
  if (!packed) {
    list.push(readValue(field.type, reader, depth));
    return;
  }
  const inner = new Reader(reader.take(Number(reader.varint())));
  while (!inner.done) list.push(readValue(field.type, inner, depth));
}

function readValue(type, reader, depth) {
  if (type === 'float') {
    const part = reader.take(4);
    return new DataView(part.buffer, part.byteOffset, 4).getFloat32(0, true);
  }
  if (type === 'string' || type === 'bytes' || isMessage(type)) {
    const part = reader.take(Number(reader.varint()));
    if (type === 'bytes') return part;
    return type === 'string' ? text.decode(part) : readMessage(type, new Reader(part), depth + 1);
  }
  const number = reader.varint();
  if (type === 'bool') return number !== 0n;
  if (type === 'int64' || type === 'uint64') return BigInt.asIntN(64, number).toString();
  return isEnum(type) ? enumName(type, Number(number)) : Number(BigInt.asIntN(32, number));
}
