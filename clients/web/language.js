// The choice of a language.

import { create } from './dom.js';
import { currentLanguage, languages, setLanguage } from './text.js';

/** Fills a `<select>` with the languages there are; `onChange` redraws the page in another one. */
export function offerLanguages(select, onChange) {
  const selected = (code) => code === currentLanguage();
  select.replaceChildren(
    ...languages().map(({ code, name }) =>
      create('option', { value: code, lang: code, selected: selected(code) }, name),
    ),
  );
  select.addEventListener('change', () => {
    setLanguage(select.value);
    onChange();
  });
}
