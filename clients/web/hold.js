// The gesture of a voice note: hold to record, release to send, slide sideways or Escape to cancel, slide up to go on
// without holding. A pointer, the space or enter key, and a plain click (which assistive technology makes) all do.

const CANCEL_PX = 96;
const LOCK_PX = 72;
const CLICK_MS = 250;

/** Events: `begin`, `phase` (`holding`, `cancelling`, `locked`), `send`, `cancel`. */
export class Hold extends EventTarget {
  #button;
  #from = null;
  #began = 0;
  phase = 'idle';

  constructor(button) {
    super();
    this.#button = button;
    button.addEventListener('pointerdown', (event) => this.#onPointerDown(event));
    button.addEventListener('pointermove', (event) => this.#onPointerMove(event));
    button.addEventListener('pointerup', () => this.#onRelease());
    button.addEventListener('pointercancel', () => this.cancel());
    button.addEventListener('contextmenu', (event) => event.preventDefault());
    button.addEventListener('keydown', (event) => this.#onKeyDown(event));
    button.addEventListener('keyup', (event) => this.#onKeyUp(event));
    button.addEventListener('click', (event) => this.#onClick(event));
    button.addEventListener('blur', () => this.phase === 'holding' && this.#enter('locked'));
    addEventListener('keydown', ({ key }) => key === 'Escape' && this.cancel());
  }

  cancel() {
    if (this.phase === 'idle') return;
    this.#end('cancel');
  }

  send() {
    if (this.phase === 'idle') return;
    this.#end('send');
  }

  #onPointerDown(event) {
    if (event.button !== 0 || this.#button.disabled) return;
    this.#button.setPointerCapture(event.pointerId);
    if (this.phase === 'locked') return;
    this.#from = event;
    this.#begin();
  }

  #onPointerMove({ clientX, clientY }) {
    if (!this.#from || !['holding', 'cancelling'].includes(this.phase)) return;
    const forward = document.documentElement.dir === 'rtl' ? -1 : 1;
    const aside = (this.#from.clientX - clientX) * forward;
    if (this.#from.clientY - clientY > LOCK_PX && aside < CANCEL_PX / 2) this.#enter('locked');
    else this.#enter(aside > CANCEL_PX ? 'cancelling' : 'holding');
  }

  #onRelease() {
    const wasOurs = this.#from !== null;
    this.#from = null;
    if (!wasOurs) return;
    if (this.phase === 'cancelling') this.cancel();
    else if (this.phase === 'holding') this.send();
  }

  #onKeyDown(event) {
    if (event.key !== ' ' && event.key !== 'Enter') return;
    event.preventDefault();
    if (event.repeat) return;
    if (this.phase === 'idle') this.#begin();
    else if (this.phase === 'locked') this.send();
  }

  #onKeyUp(event) {
    if (event.key !== ' ' && event.key !== 'Enter') return;
    event.preventDefault();
    if (this.phase === 'holding') this.send();
  }

  /** A click that no pointer or key of ours made: press once to start, again to send. */
  #onClick(event) {
    const ofOurs = event.detail > 0 || performance.now() - this.#began < CLICK_MS;
    if (this.phase === 'locked') this.send();
    else if (!ofOurs && this.phase === 'idle') {
      this.#begin();
      this.#enter('locked');
    }
  }

  #begin() {
    this.#began = performance.now();
    this.phase = 'holding';
    this.dispatchEvent(new Event('begin'));
    this.dispatchEvent(new Event('phase'));
  }

  #enter(phase) {
    if (this.phase === phase) return;
    this.phase = phase;
    this.dispatchEvent(new Event('phase'));
  }

  #end(how) {
    this.#from = null;
    this.phase = 'idle';
    this.dispatchEvent(new Event('phase'));
    this.dispatchEvent(new Event(how));
  }
}
