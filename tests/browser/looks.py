"""What a person would see at a glance, asked of the page: whether a view looks right, and how soon a change shows."""

from collections.abc import Callable

from playwright.sync_api import Locator

MEDIA = """async part => {
    const flaws = [];
    const say = (what, element) => flaws.push(`${what}: ${element.outerHTML.slice(0, 150)}`);
    for (const image of part.querySelectorAll("img")) {
        const late = new Promise((_, reject) => setTimeout(reject, 10000));
        await Promise.race([image.decode(), late]).catch(() => say("a picture that does not show", image));
        if (!image.alt.trim()) say("a picture without alternative text", image);
    }
    for (const sound of part.querySelectorAll("audio")) {
        if (sound.readyState === HTMLMediaElement.HAVE_NOTHING && !sound.error) {
            const settled = new Promise(done => {
                sound.onloadedmetadata = sound.onerror = done;
                setTimeout(done, 10000);
            });
            sound.load();
            await settled;
        }
        if (sound.error || !(sound.duration > 0)) say("a sound that does not play", sound);
    }
    return flaws;
}"""

LAYOUT = """view => {
    const flaws = [];
    const say = (what, element) => flaws.push(`${what}: ${element.outerHTML.slice(0, 150)}`);
    for (const element of [view, ...view.querySelectorAll("*")]) {
        const style = getComputedStyle(element);
        if (style.display === "inline" || style.overflowX === "visible" || !element.clientWidth) continue;
        if (element.matches("input, select, svg *")) continue;
        if (element.scrollWidth > element.clientWidth + 1) say("cut off or to be scrolled sideways", element);
    }
    const paper = view.closest(".jp-OutputArea-output") ?? document.body;
    if (view.getBoundingClientRect().right > paper.getBoundingClientRect().right + 1) say("wider than the page", view);
    for (const failed of view.querySelectorAll("[data-mime-type='application/vnd.jupyter.error']"))
        say("an error", failed);
    return flaws;
}"""

# Of every text: the contrast between its colour and what lies behind it, as WCAG 2 reckons it.
CONTRAST = """([view, least]) => {
    const rgba = colour => {
        const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number);
        const scale = colour.startsWith("color(") ? 255 : 1;
        return [r * scale, g * scale, b * scale, a];
    };
    const over = (top, under) => [0, 1, 2].map(i => top[i] * top[3] + under[i] * (1 - top[3]));
    const behind = element => {
        const layers = [];
        for (let one = element; one; one = one.parentElement) {
            const layer = rgba(getComputedStyle(one).backgroundColor);
            layers.push(layer);
            if (layer[3] === 1) break;
        }
        return layers.reduceRight((under, layer) => over(layer, under), [255, 255, 255]);
    };
    const luminance = colour => {
        const [r, g, b] = colour.map(c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const flaws = [];
    const texts = document.createTreeWalker(view, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const element = texts.currentNode.parentElement;
        if (!texts.currentNode.data.trim() || element.closest("option, :disabled")) continue;
        if (!element.checkVisibility()) continue;
        const back = behind(element);
        const both = [luminance(back), luminance(over(rgba(getComputedStyle(element).color), back))];
        const ratio = (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
        if (ratio < least) flaws.push(`contrast ${ratio.toFixed(1)}: ${texts.currentNode.data.trim().slice(0, 80)}`);
    }
    return flaws;
}"""

# From the event's own time stamp to the second animation frame after the new picture is decoded: by then it is drawn.
WATCH = """view => {
    let started = null;
    const note = event => { started ??= event.timeStamp; };
    const kinds = ["keydown", "pointerdown", "change"];
    for (const kind of kinds) document.addEventListener(kind, note, {capture: true});
    window.asrDrawn = new Promise(resolve => {
        const observer = new MutationObserver(async changes => {
            const fresh = changes
                .flatMap(change => change.type === "attributes" ? [change.target] : [...change.addedNodes])
                .filter(node => node.nodeType === Node.ELEMENT_NODE)
                .flatMap(node => node.matches("img") ? [node] : [...node.querySelectorAll("img")]);
            if (started === null || !fresh.length) return;
            observer.disconnect();
            for (const kind of kinds) document.removeEventListener(kind, note, {capture: true});
            await Promise.all(fresh.map(image => image.decode()));
            requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now() - started)));
        });
        observer.observe(view, {subtree: true, childList: true, attributes: true, attributeFilter: ["src"]});
    });
}"""
DRAWN = """() => Promise.race([
    window.asrDrawn, new Promise((_, reject) => setTimeout(() => reject(new Error("no new picture in 30 s")), 30000)),
])"""


def broken_media(part: Locator) -> list[str]:
    """The pictures that do not show or say nothing to a screen reader, and the sounds that do not play."""
    return part.evaluate(MEDIA)


def flaws(view: Locator) -> list[str]:
    """What is wrong with a view at a glance: broken media, text cut off, a table to scroll sideways, an error."""
    return broken_media(view) + view.evaluate(LAYOUT)


def faint_texts(view: Locator, least: float = 4.5) -> list[str]:
    """The texts that stand out too little from what lies behind them; 4.5 is what WCAG 2 asks of body text."""
    return view.evaluate(f"view => ({CONTRAST})([view, {least}])")


def milliseconds_to_picture(view: Locator, change: Callable[[], None]) -> float:
    """The time from the first event that `change` causes until a new picture in the view is on screen."""
    view.evaluate(WATCH)
    change()
    return view.page.evaluate(DRAWN)
