// Sends a file or a recording to the server, and shows what is heard as it comes.

import microphone from "./microphone.js";
import words from "./words.js";

const at = (id) => document.getElementById(id);
const RECORDED = 30; // s at most, from the microphone
const PALEST = 0.45; // the opacity of a word of which nothing is sure

let limits = { bytes: Infinity };
let running = null; // the request that is answered now
let address = null; // of the sound that the player has

fetch("limits")
    .then((answer) => answer.json())
    .then((found) => {
        limits = found;
        at("limits").textContent = `WAV, FLAC, OGG or MP3; up to ${found.megabytes} MB and ${found.minutes} minutes`;
    });

function clock(seconds) {
    const whole = Math.floor(seconds);
    const two = (number) => String(number).padStart(2, "0");
    const hours = Math.floor(whole / 3600);
    return `${hours ? `${hours}:${two(Math.floor((whole / 60) % 60))}` : Math.floor(whole / 60)}:${two(whole % 60)}`;
}

function complain(why) {
    at("problem").textContent = why;
    at("problem").hidden = !why;
}

/** Words as buttons that play the sound from there. */
function show(words) {
    for (const word of words) {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = word.text;
        button.title = `${word.start.toFixed(2)} to ${word.end.toFixed(2)} s, ${Math.round(100 * word.confidence)} % sure`;
        button.style.opacity = PALEST + (1 - PALEST) * word.confidence;
        button.dataset.start = word.start;
        button.dataset.end = word.end;
        button.onclick = () => {
            at("player").currentTime = word.start;
            at("player").play();
        };
        at("text").append(button, " ");
    }
}

function offer(files) {
    for (const link of at("downloads").querySelectorAll("a")) {
        URL.revokeObjectURL(link.href);
        link.remove();
    }
    for (const [name, content] of Object.entries(files)) {
        const link = document.createElement("a");
        link.href = URL.createObjectURL(new Blob([content], { type: "text/plain;charset=utf-8" }));
        link.download = name;
        link.textContent = name.slice(name.lastIndexOf(".") + 1);
        at("downloads").append(link);
    }
    at("downloads").hidden = false;
}

/** The lines of an answer as they come. */
async function* lines(answer) {
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        const found = (rest + value).split("\n");
        rest = found.pop();
        yield* found.map((line) => JSON.parse(line));
    }
}

async function hear(blob, name) {
    running?.abort();
    complain("");
    if (!blob.size) return complain(`${name} is empty.`);
    if (blob.size > limits.bytes) return complain(`${name} has more than ${limits.megabytes} MB: cut it, or send it as MP3.`);
    const mine = (running = new AbortController());
    if (address) URL.revokeObjectURL(address);
    at("player").src = address = URL.createObjectURL(blob);
    at("name").textContent = name;
    at("text").replaceChildren();
    at("heard").hidden = at("working").hidden = false;
    at("downloads").hidden = at("hint").hidden = true;
    at("progress").removeAttribute("value");
    at("status").textContent = "listening";
    const started = performance.now();
    let length = 0, ended = false;
    try {
        const headers = { "X-File-Name": encodeURIComponent(name) };
        const answer = await fetch("transcribe", { method: "POST", body: blob, headers, signal: mine.signal });
        for await (const line of lines(answer)) {
            if (line.error) complain(line.error);
            if (line.length) length = line.length;
            if (line.words) {
                show(line.words);
                at("hint").hidden = !at("text").childElementCount;
                at("progress").value = line.end / length;
                const left = ((performance.now() - started) / 1000) * (length / line.end - 1);
                at("status").textContent = `${clock(line.end)} of ${clock(length)}, ${clock(left)} left`;
            }
            if (line.files) {
                offer(line.files);
                ended = true;
            }
        }
        if (!answer.ok && at("problem").hidden) complain(`The server answered ${answer.status}.`);
        if (ended && !at("text").childElementCount) complain(`Nothing was understood in ${name}.`);
    } catch (error) {
        if (mine.signal.aborted) return;
        complain(`The server cannot be reached (${error.message}): is asr-helpers app still running?`);
    } finally {
        if (running === mine) {
            running = null;
            at("working").hidden = true;
        }
    }
}

at("cancel").onclick = () => running?.abort();
at("file").onchange = () => {
    const [file] = at("file").files;
    if (file) hear(file, file.name);
    at("file").value = "";
};
at("drop").ondragover = (event) => {
    event.preventDefault();
    at("drop").classList.add("over");
};
at("drop").ondragleave = () => at("drop").classList.remove("over");
at("drop").ondrop = (event) => {
    event.preventDefault();
    at("drop").classList.remove("over");
    const [file] = event.dataTransfer.files;
    if (file) hear(file, file.name);
};
at("player").ontimeupdate = () => {
    const now = at("player").currentTime;
    for (const word of at("text").children)
        word.classList.toggle("now", !at("player").paused && word.dataset.start <= now && now < word.dataset.end);
};

// The notebooks' microphone asks a model for its settings and hands it what it recorded: here the page is the model.
microphone.render({
    el: at("microphone"),
    model: {
        get: (name) => ({ longest: RECORDED, words })[name],
        set: () => {},
        save_changes: () => {},
        send: (content, callbacks, [recording]) => hear(new Blob([recording], { type: "audio/wav" }), "recording.wav"),
    },
});
