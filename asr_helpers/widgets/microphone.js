// Records the microphone as raw samples and sends them to Python as one WAV file of 16 bits. It loads nothing.

const PALE = "var(--jp-ui-font-color2, #555)";
const LINE = "var(--jp-border-color1, #aaa)";
const BAR = "var(--jp-brand-color1, #0072b2)";
const QUIETEST = -60; // dBFS, where the level meter begins
const HIGHEST_RATE = 96000; // Hz: 30 s at more would be a message larger than Jupyter's servers take, 10 MB

// In the audio thread: every block of samples goes to the page. The channels were made one before.
const COLLECTOR = `registerProcessor("asr-collector", class extends AudioWorkletProcessor {
    process([channels]) {
        if (channels.length) this.port.postMessage(channels[0].slice());
        return true;
    }
});`;

/** Why nothing can be recorded here, as the name of what to say; "" where it can. */
function obstacle() {
    if (!window.isSecureContext) return "insecure";
    if (!navigator.mediaDevices?.getUserMedia) return "unreachable";
    if (document.featurePolicy?.allowsFeature("microphone") === false) return "framed";
    if (!window.AudioContext) return "outdated";
    return "";
}

/** Sends every block of samples, Float32Array, to `take` until the context is closed. */
async function collect(context, source, take) {
    let node;
    try {
        const address = URL.createObjectURL(new Blob([COLLECTOR], { type: "text/javascript" }));
        await context.audioWorklet.addModule(address).finally(() => URL.revokeObjectURL(address));
        node = new AudioWorkletNode(context, "asr-collector", { channelCount: 1, channelCountMode: "explicit" });
        node.port.onmessage = (event) => take(event.data);
    } catch {
        // Some pages allow no module at such an address: the older way works there, in the page's own thread.
        node = context.createScriptProcessor(2048, 1, 1);
        node.onaudioprocess = (event) => take(event.inputBuffer.getChannelData(0).slice());
    }
    source.connect(node);
    node.connect(context.destination); // a node that leads nowhere is not run; what it plays is silence
    return node;
}

/** The samples in [-1, 1] as a WAV file: one channel, 16 bits. */
function wav(samples, rate) {
    const file = new DataView(new ArrayBuffer(44 + 2 * samples.length));
    const write = (at, text) => [...text].forEach((one, i) => file.setUint8(at + i, one.charCodeAt(0)));
    write(0, "RIFF");
    file.setUint32(4, 36 + 2 * samples.length, true);
    write(8, "WAVEfmt ");
    file.setUint32(16, 16, true); // the length of what follows
    file.setUint16(20, 1, true); // PCM
    file.setUint16(22, 1, true); // channels
    file.setUint32(24, rate, true);
    file.setUint32(28, 2 * rate, true); // bytes a second
    file.setUint16(32, 2, true); // bytes a sample
    file.setUint16(34, 16, true); // bits a sample
    write(36, "data");
    file.setUint32(40, 2 * samples.length, true);
    samples.forEach((one, i) => file.setInt16(44 + 2 * i, Math.round(32767 * Math.max(-1, Math.min(1, one))), true));
    return file.buffer;
}

/** Every two neighbours as their mean: half the rate. */
function halve(samples) {
    return Float32Array.from({ length: samples.length >> 1 }, (_, i) => (samples[2 * i] + samples[2 * i + 1]) / 2);
}

/** Blocks of samples as one array. */
function join(blocks, length) {
    const samples = new Float32Array(length);
    let at = 0;
    for (const block of blocks) {
        samples.set(block.subarray(0, length - at), at);
        at = Math.min(length, at + block.length);
    }
    return samples;
}

function make(tag, style, attributes = {}, ...children) {
    const element = document.createElement(tag);
    element.style.cssText = style;
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
}

function render({ model, el }) {
    // What Python has sent under a name, with values in the places of their names.
    const said = (name, values = {}) =>
        Object.entries(values).reduce((text, [key, value]) => text.replace(`{${key}}`, value), model.get("words")[name]);
    const button = make("button", "margin:0", { type: "button", class: "jupyter-widgets jupyter-button widget-button" });
    const bar = make("div", `height:100%;width:0;background:${BAR}`);
    const meter = make(
        "div", `width:120px;height:10px;border:1px solid ${LINE};border-radius:3px;overflow:hidden`,
        { role: "meter", "aria-label": said("level"), "aria-valuemin": QUIETEST, "aria-valuemax": 0 }, bar,
    );
    const clock = make("span", `color:${PALE};font-variant-numeric:tabular-nums`, { role: "timer" });
    const status = make("span", "overflow-wrap:anywhere", { "aria-live": "polite" });
    // The notebook has shortcuts of its own for Enter and the space bar: here they press the button.
    const row = make(
        "div", "display:flex;flex-wrap:wrap;align-items:center;gap:4px 10px;margin:2px;line-height:1.5",
        { "data-lm-suppress-shortcuts": "true" }, button, meter, clock, status,
    );
    row.style.color = "var(--jp-ui-font-color1, #111)";
    el.append(row);

    const longest = () => model.get("longest"); // s
    let recording = null; // while it lasts: what is recorded, and what it is recorded with
    let asking = false, left = false;

    function say(name, values) {
        status.textContent = name ? said(name, values) : "";
    }

    function showClock(seconds) {
        clock.textContent = said("clock", { seconds: seconds.toFixed(1), longest: longest() });
    }

    function show(level, seconds) {
        const decibels = Math.max(QUIETEST, Math.min(0, 20 * Math.log10(level + 1e-9)));
        bar.style.width = `${100 * (1 - decibels / QUIETEST)}%`;
        meter.setAttribute("aria-valuenow", Math.round(decibels));
        showClock(seconds);
    }

    function idle() {
        button.textContent = said("record");
        bar.style.width = "0";
        meter.setAttribute("aria-valuenow", QUIETEST);
    }

    function take(block) {
        if (!recording) return;
        recording.blocks.push(block);
        recording.length += block.length;
        recording.peak = block.reduce((peak, one) => Math.max(peak, Math.abs(one)), recording.peak);
        const seconds = recording.length / recording.context.sampleRate;
        if (seconds >= longest()) stop();
        else if (performance.now() - recording.shown > 60) {
            show(recording.peak, seconds);
            Object.assign(recording, { shown: performance.now(), peak: 0 });
        }
    }

    function release({ stream, context }) {
        stream.getTracks().forEach((track) => track.stop());
        context?.close();
    }

    async function start() {
        asking = true;
        say("asking");
        let stream = null, context = null;
        try {
            // As it is: what browsers do against echo and noise is for telephone calls, and changes a voice.
            const raw = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
            stream = await navigator.mediaDevices.getUserMedia({ audio: raw });
            context = new AudioContext();
            await context.resume();
            const fresh = { stream, context, blocks: [], length: 0, peak: 0, shown: 0 };
            fresh.node = await collect(context, context.createMediaStreamSource(stream), take);
            if (left) return release(fresh);
            stream.getTracks().forEach((track) => (track.onended = stop));
            recording = fresh;
            button.textContent = said("stop");
            show(0, 0);
            say("recording", { longest: longest() });
        } catch (error) {
            if (stream) release({ stream, context });
            if (model.get("words")[error.name]) say(error.name);
            else say("failed", { error: error.message });
        } finally {
            asking = false;
        }
    }

    function stop() {
        if (!recording) return;
        const { blocks, context } = recording;
        let rate = context.sampleRate;
        let samples = join(blocks, Math.min(recording.length, Math.round(longest() * rate)));
        release(recording);
        recording = null;
        idle();
        if (!samples.length) return say("silent");
        showClock(samples.length / rate);
        say("sent");
        for (; rate > HIGHEST_RATE; rate /= 2) samples = halve(samples);
        model.send({ recording: true }, undefined, [wav(samples, rate)]);
    }

    const why = obstacle();
    if (why) row.replaceChildren(status);
    say(why || "ready");
    idle();
    show(0, 0);
    button.onclick = () => {
        if (recording) stop();
        else if (!asking) start();
    };
    model.set("answered", true);
    model.save_changes();
    return () => {
        left = true;
        if (recording) release(recording);
        recording = null;
    };
}

export default { render };
