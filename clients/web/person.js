// How somebody looks without a picture.

const HUES = 6;

export function initials(name) {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words.at(-1)] : words;
  return letters.map((word) => [...word][0].toLocaleUpperCase()).join('');
}

export function hueOf(identity) {
  let hash = 0;
  for (const letter of identity) hash = (hash * 31 + letter.codePointAt(0)) % 65_521;
  return hash % HUES;
}
