/** Limits of bodies that are read at the same time. */
export interface BodyLimitOptions {
  /** Bytes of all bodies in flight, unpacked. */
  readonly total: number;
  /** Milliseconds from the headers to the end of a body. */
  readonly time: number;
  /** Milliseconds after which a body counts as slow. */
  readonly slowAfter: number;
  /** Bodies that may be slow at once. */
  readonly slowAtOnce: number;
}

/** Counts one body against the limits. */
export interface BodyHold {
  /** Counts bytes. Throws RangeError when they are too many together with those of other bodies. */
  add(bytes: number): void;
  /** Ends the count, when the body has been parsed or refused. Safe to repeat. */
  release(): void;
}

/** The bound that all bodies of a client share: in memory, in time, and in slots that slow ones may take. */
export class BodyLimits {
  private readonly options: BodyLimitOptions;
  private held = 0;
  private slow = 0;

  constructor(options: BodyLimitOptions) {
    this.options = options;
  }

  /** Begins to count a body. `abort` is called when it takes too long, or is slow while others are. */
  open(abort: (reason: Error) => void): BodyHold {
    const { total, time, slowAfter, slowAtOnce } = this.options;
    let bytes = 0;
    let isSlow = false;
    const slowTimer = setTimeout(() => {
      if (this.slow >= slowAtOnce) return abort(new Error('it is sent too slowly, as several others are'));
      this.slow++;
      isSlow = true;
    }, slowAfter);
    const endTimer = setTimeout(() => abort(new Error(`it was not complete after ${time / 1_000} s`)), time);
    return {
      add: (more) => {
        bytes += more;
        this.held += more;
        if (this.held > total) throw new RangeError(`all answers together are larger than ${total >> 20} MB`);
      },
      release: () => {
        clearTimeout(slowTimer);
        clearTimeout(endTimer);
        this.held -= bytes;
        bytes = 0;
        if (isSlow) this.slow--;
        isSlow = false;
      },
    };
  }
}
