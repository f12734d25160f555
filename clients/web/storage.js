// What the browser keeps for us between visits, or until the tab is closed. Where it keeps nothing, as with storage
// blocked or full, the page itself remembers for as long as it is open.

class Storing {
  #name;
  // What the browser did not take.
  #here = new Map();

  constructor(name) {
    this.#name = name;
  }

  get(key) {
    return this.#here.get(key) ?? this.#try((kept) => kept.getItem(key)) ?? null;
  }

  set(key, value) {
    this.#here.set(key, String(value));
    this.#try((kept) => {
      kept.setItem(key, value);
      this.#here.delete(key);
    });
  }

  clear() {
    this.#here.clear();
    this.#try((kept) => kept.clear());
  }

  /** With storage blocked, already naming it throws. */
  #try(use) {
    try {
      return use(window[this.#name]);
    } catch {
      return undefined;
    }
  }
}

export const lasting = new Storing('localStorage');
export const untilClosed = new Storing('sessionStorage');
