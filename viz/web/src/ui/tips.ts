/** Explanations of words: shown under the pointer or the keyboard's focus, never cut off. */
export function showTips(): void {
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.setAttribute("role", "tooltip");
  tip.hidden = true;
  document.body.append(tip);
  const show = (event: Event): void => {
    const word = (event.target as Element).closest?.("[data-tip]");
    tip.hidden = !word;
    if (!word) return;
    tip.textContent = word.getAttribute("data-tip");
    const at = word.getBoundingClientRect();
    tip.style.left = `${Math.max(8, Math.min(at.left, innerWidth - tip.offsetWidth - 8))}px`;
    const below = at.bottom + 6;
    tip.style.top = `${below + tip.offsetHeight > innerHeight ? at.top - tip.offsetHeight - 6 : below}px`;
  };
  const hide = (): void => {
    tip.hidden = true;
  };
  document.addEventListener("pointerover", show);
  document.addEventListener("focusin", show);
  document.addEventListener("focusout", hide);
  document.addEventListener("scroll", hide, true);
}
