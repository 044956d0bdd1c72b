/** The style sheet of the pages: a separate file, so that the Content-Security-Policy need not allow inline styles. */
export const STYLE = `:root { color-scheme: light dark; --line: #8884; --ok: #2a8c4a; --warn: #b7791f; --bad: #c53030; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 68rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid var(--line); }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
button { font: inherit; padding: .3rem .9rem; }
.ok { color: var(--ok); } .degraded, .late, .torn, .refused, .never, .running, .blocked { color: var(--warn); }
.down, .failing { color: var(--bad); } .off, .disabled { opacity: .6; }
.note { border-left: 4px solid var(--warn); padding: .5rem 1rem; background: #8881; }
`;
