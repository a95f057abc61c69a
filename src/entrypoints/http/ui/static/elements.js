// The elements of these pages. Without them a page says the same: they add comfort, and no words of their own.

const utc = (iso) => `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`;
const two = (number) => String(number).padStart(2, "0");

// <local-time datetime="..."><time>... UTC</time></local-time>: the same moment on the reader's clock, UTC in its title.
// The inner text stays as it was sent, so that a page which is refreshed compares it with what is sent then.
customElements.define("local-time", class extends HTMLElement {
  static observedAttributes = ["datetime"];

  connectedCallback() { this.show(); }

  attributeChangedCallback() { if (this.isConnected) this.show(); }

  show() {
    const at = new Date(this.getAttribute("datetime"));
    if (isNaN(at) || at.getTimezoneOffset() === 0) return this.shadowRoot?.replaceChildren(document.createElement("slot"));
    const zone = new Intl.DateTimeFormat("en", { timeZoneName: "short" }).formatToParts(at)
      .find((part) => part.type === "timeZoneName").value;
    const time = document.createElement("time");
    time.dateTime = at.toISOString();
    time.title = utc(this.getAttribute("datetime"));
    time.textContent = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} `
      + `${two(at.getHours())}:${two(at.getMinutes())} ${zone}`;
    (this.shadowRoot ?? this.attachShadow({ mode: "open" })).replaceChildren(time);
  }
});

// <copy-line><code>...</code><button data-done="Copied">Copy</button><span role="status"></span></copy-line>
customElements.define("copy-line", class extends HTMLElement {
  connectedCallback() { this.addEventListener("click", this); }

  disconnectedCallback() { this.removeEventListener("click", this); }

  async handleEvent(event) {
    const button = event.target.closest("button");
    if (!button) return;
    const line = this.querySelector("code");
    try {
      await navigator.clipboard.writeText(line.textContent);
    } catch {  // there is no clipboard without TLS: the line is selected, and copied the old way if the browser lets it
      getSelection().selectAllChildren(line);
      if (!document.execCommand("copy")) return;
    }
    const status = this.querySelector("[role=status]");
    status.textContent = button.dataset.done;
    setTimeout(() => { status.textContent = ""; }, 3000);
  }
});

// <hover-value><svg>...<rect data-value="..."/>...</svg><output></output></hover-value>: the value under the pointer; with
// the focus on the picture, arrow keys go from one to the next.
customElements.define("hover-value", class extends HTMLElement {
  connectedCallback() {
    this.tabIndex = 0;
    for (const kind of ["pointerover", "pointerleave", "keydown", "blur"]) this.addEventListener(kind, this);
  }

  handleEvent(event) {
    const all = [...this.querySelectorAll("[data-value]")];
    if (event.type === "pointerover") return this.point(event.target.closest("[data-value]"));
    if (event.type !== "keydown") return this.point(null);
    const at = all.findIndex((one) => one.classList.contains("pointed"));
    const to = { ArrowRight: at + 1, ArrowLeft: at < 0 ? all.length - 1 : at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (to === undefined || !all[to]) return;
    event.preventDefault();
    this.point(all[to]);
  }

  point(to) {
    this.querySelector(".pointed")?.classList.remove("pointed");
    to?.classList.add("pointed");
    const shown = this.querySelector("output");
    if (shown) shown.textContent = to?.dataset.value ?? "";
  }
});

// Refreshing: nothing is asked while nobody looks, and at once when somebody looks again. A page that has had no answer
// for five minutes says so, and its lights are grey.
const asking = () => document.querySelectorAll("[hx-trigger^=every]");
let answeredAt = Date.now();

document.addEventListener("htmx:before:request", (event) => {
  if (document.hidden && event.detail.ctx.sourceEvent?.type === "every") event.preventDefault();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) for (const one of asking()) one.dispatchEvent(new CustomEvent("every"));
});
document.addEventListener("htmx:after:request", (event) => {
  if (event.detail.ctx.response.status < 400) answeredAt = Date.now();
});
setInterval(() => {
  if (asking().length) document.body.classList.toggle("cut-off", Date.now() - answeredAt > 300_000);
}, 5000);

// With the answer that nothing has changed comes when that was looked at.
document.addEventListener("looked-at", ({ target, detail }) => {
  if (target.id !== "as-of") return;
  const time = target.querySelector("local-time");
  time.firstElementChild.dateTime = detail.at;
  time.firstElementChild.textContent = utc(detail.at);
  time.setAttribute("datetime", detail.at);
  target.querySelector("span").textContent = detail.ago;
});
