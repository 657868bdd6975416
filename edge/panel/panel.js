/* What moves on the page: the line's figures and picture, and a picture that is tried. Every request
   is short, for a browser opens only few connections to a server, whatever number of tabs it has;
   every address is relative, for a proxy may serve the page below a path. */
(() => {
	const FIGURES_MS = 1000, PICTURE_MS = 100, REST_MS = 1000, HEALTH_MS = 3000, PATIENCE_MS = 5000;
	const HISTORY_MS = 60000;
	const TRIES = 4;
	const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
	const ask = async (address, more = {}) => {
		const answer = await fetch(
			address, {cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS), ...more});
		if (answer.status === 401) location.reload();  // the session is over: the login form comes
		return answer;
	};
	// Sends a file, or anything else as JSON; null only asks. Gives what is answered, or what failed:
	// in words of the server, or `lost` where it did not answer.
	const send = async (address, content, lost, patienceMs = PATIENCE_MS) => {
		const [body, kind] = content instanceof Blob
			? [content, "application/octet-stream"] : [JSON.stringify(content), "application/json"];
		const posted = content === null ? {} : {method: "POST", body, headers: {"Content-Type": kind}};
		let failed = lost;
		try {
			const reply = await ask(address, {...posted, signal: AbortSignal.timeout(patienceMs)});
			const text = await reply.text();
			if (reply.ok) return {answer: JSON.parse(text), failed: ""};
			failed = text;
			failed = JSON.parse(text).error ?? text;
		} catch { /* not reached, or a line of text */ }
		return {answer: null, failed};
	};

	// Gradio draws a tab only once it is looked at: what came before is kept for then.
	const parts = {};
	const draw = () => {
		for (const [name, html] of Object.entries(parts)) {
			const place = document.querySelector(`#${name} [data-part]`);
			if (place && place.shown !== html) {
				const at = controls(place).indexOf(document.activeElement);
				const chosen = fileInputs(place).filter((each) => each.files.length);
				place.innerHTML = html;
				place.shown = html;
				for (const input of fileInputs(place)) {
					const before = chosen.find((each) => each.name === input.name);
					if (before) input.files = before.files;
				}
				if (at >= 0) controls(place)[at]?.focus({preventScroll: true});
			}
		}
		hear();
	};
	// Who works by keys keeps the place when a part is drawn anew.
	const controls = (place) => [...place.querySelectorAll("a[href], button, input, select, [tabindex]")];
	// So does a file that is chosen and not sent yet.
	const fileInputs = (place) => [...place.querySelectorAll("input[type=file]")];
	// Screen readers tell the state when it changes, not the numbers in it.
	const hear = () => {
		const heard = document.querySelector("#heard");
		const seen = [...document.querySelectorAll("#header .state, #header .banner")];
		const text = seen.map((each) => each.textContent).join(": ");
		const plain = (each) => each.replace(/[\d.,]+/g, "");
		if (heard && plain(heard.textContent) !== plain(text)) heard.textContent = text;
	};
	// What scripts say, and the tabs: their name in the visitor's language -> the name they have here.
	const words = window.ewasteWords;
	const nameOf = (tab) => words.tabs[tab.textContent.trim()] || "";
	window.ewaste = {ask, send, parts, draw, words, nameOf};
	const forever = async (ms, step) => {
		for (;;) {
			let wait = ms;
			try { wait = (await step()) || ms; } catch { wait = Math.max(ms, REST_MS); }
			await sleep(wait);
		}
	};

	forever(FIGURES_MS, async () => {
		if (!document.hidden) {
			const answer = await ask("parts.json");
			if (answer.ok) Object.assign(parts, await answer.json());
		}
		draw();
	});

	let version = "";
	forever(PICTURE_MS, async () => {
		const image = document.querySelector("#live img");
		if (document.hidden || !image || !image.offsetParent) return REST_MS / 4;
		const answer = await ask("live.jpg", {headers: version ? {"If-None-Match": version} : {}});
		if (answer.status !== 200) return answer.status === 304 ? PICTURE_MS : REST_MS;
		const address = URL.createObjectURL(await answer.blob());
		const old = image.src;
		image.src = address;
		version = answer.headers.get("ETag") || "";
		image.parentElement.classList.toggle("none", version === '"none"');
		await image.decode().catch(() => {});
		if (old.startsWith("blob:")) URL.revokeObjectURL(old);
	});

	// A screen at the line runs for months: it must come back by itself after the panel was restarted.
	let known = null;
	forever(HEALTH_MS, async () => {
		try {
			const {started} = await (await ask("health")).json();
			document.documentElement.classList.remove("panel-lost");
			if (known !== null && known !== started) location.reload();
			known = started;
		} catch {
			document.documentElement.classList.add("panel-lost");
		}
	});

	// The plots are asked for only while somebody looks at them; 202: they are not complete yet.
	const look = async (name) => {
		const answer = await ask(`${name}.json`);
		if (answer.ok) Object.assign(parts, await answer.json());
		draw();
		return answer.status === 202 ? REST_MS : HISTORY_MS;
	};
	forever(REST_MS / 4, async () => {
		const place = document.querySelector("#history [data-part]");
		if (document.hidden || !place || !place.offsetParent) return REST_MS / 4;
		if (!parts.shift) await look("shift");
		if (!parts.entries) await look("entries");
		return look("history");
	});
	const enter = async (address, body, place) => {
		const {answer, failed} = await send(address, body, words.failed);
		Object.assign(parts, answer);
		draw();
		if (place) place.textContent = failed;
		return Boolean(answer);
	};
	document.addEventListener("submit", async (event) => {
		const form = event.target.closest("[data-entry]");
		if (!form) return;
		event.preventDefault();
		const body = Object.fromEntries(new FormData(form));
		body.kg = Number(body.kg);
		if (await enter("entries", body, form.querySelector("[role=status]"))) form.reset();
	});
	const account = async () => {
		try {
			const answer = await ask("account.json");
			if (answer.ok) Object.assign(parts, await answer.json());
		} catch { /* without it there is no button to log out */ }
		draw();
	};
	account();
	const logOut = async () => {
		const headers = {"Content-Type": "application/json"};
		try {
			await ask("logout", {method: "POST", body: "{}", headers});
			location.reload();
		} catch { /* the page says that the panel does not answer */ }
	};
	document.addEventListener("click", (event) => {
		if (event.target.closest("[data-skip]")) {
			event.preventDefault();
			const shown = [...document.querySelectorAll("[role=tabpanel]")].find((each) => each.offsetParent);
			shown?.setAttribute("tabindex", "-1");
			shown?.focus();
		}
		if (event.target.closest("#account [data-logout]")) logOut();
		if (event.target.closest("[role=tab], .overflow-dropdown button")) setTimeout(draw);
		const entry = event.target.closest("[data-withdraw]");
		if (entry) {
			const place = document.querySelector("[data-entry] [role=status]");
			enter("entries/withdraw", {number: Number(entry.dataset.withdraw)}, place);
		}
		const button = event.target.closest("#operation [data-mode]");
		if (button) operate(button.dataset.mode);
		if (event.target.closest("#picture .clear")) {
			event.preventDefault();
			show(null);
		}
	});

	const operate = async (mode) => {
		const {answer, failed} = await send("mode", {mode}, words.failedMode);
		document.querySelector("#operation [role=status]").textContent = failed || words.asked;
		if (answer) delete document.querySelector("#operation [data-part]").shown;
	};

	// Where the model looked: the overlay of one class over the tried picture.
	let mapShown = true;
	const layMap = (chosen) => {
		const map = document.querySelector("#picture .map");
		const place = document.querySelector("#looked [data-where]");
		for (const each of document.querySelectorAll("#classes .look"))
			each.setAttribute("aria-pressed", String(each === chosen));
		document.querySelector("#looked [data-toggle]")?.setAttribute("aria-pressed", String(mapShown));
		map.hidden = !chosen || !mapShown;
		map.alt = chosen ? chosen.dataset.where : "";
		if (chosen) map.src = chosen.dataset.overlay;
		else map.removeAttribute("src");
		if (place) place.textContent = map.alt;
	};
	document.addEventListener("click", (event) => {
		const chosen = event.target.closest("#classes .look");
		if (event.target.closest("#looked [data-toggle]")) mapShown = !mapShown;
		else if (chosen) mapShown = true;
		else return;
		layMap(chosen || document.querySelector("#classes .look[aria-pressed=true]"));
	});

	let tried = 0;
	const show = (file) => {
		tried += 1;
		const drop = document.querySelector("#picture .drop"), image = drop.querySelector("img");
		if (image.src) URL.revokeObjectURL(image.src);
		image.removeAttribute("src");
		drop.classList.toggle("filled", Boolean(file));
		for (const input of document.querySelectorAll("#picture input")) input.value = "";
		if (file) image.src = URL.createObjectURL(file);
		parts.verdict = parts.classes = parts.looked = "";
		draw();
		layMap(null);
		return tried;
	};
	const judge = async (file) => {
		const number = show(file);
		const say = (text) => {
			const line = document.createElement("p");
			line.className = "banner stalled";
			line.textContent = text;
			return {verdict: line.outerHTML, classes: "", looked: ""};
		};
		const most = Number(document.querySelector("#picture .drop").dataset.most);
		let answer = say(words.failed);
		if (file.size > most) {
			answer = say(words.tooLarge.replace("{count}", most >> 20));
		} else {
			for (let attempt = 0; attempt < TRIES; attempt += 1) {
				try {
					const reply = await fetch("try", {
						method: "POST", body: file, headers: {"Content-Type": "application/octet-stream"},
						cache: "no-store", signal: AbortSignal.timeout(60000),
					});
					const text = await reply.text();
					try { answer = JSON.parse(text); } catch { answer = say(text); }
					if (reply.status !== 503) break;
				} catch { /* reported at the end */ }
				await sleep(REST_MS);
			}
		}
		if (number !== tried) return;
		Object.assign(parts, answer);
		draw();
		layMap(document.querySelector("#classes .look"));
	};
	document.addEventListener("change", (event) => {
		const input = event.target.closest("#picture input[type=file]");
		if (input && input.files.length) judge(input.files[0]);
	});
	for (const kind of ["dragover", "drop"]) {
		document.addEventListener(kind, (event) => {
			if (!event.target.closest("#picture .drop")) return;
			event.preventDefault();
			if (kind === "drop" && event.dataTransfer.files.length) judge(event.dataTransfer.files[0]);
		});
	}
})();
