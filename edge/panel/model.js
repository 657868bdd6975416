/* The tab "Model": its parts are asked for while somebody looks at it, oftener while something is at
   work. The server draws each part and knows all words; here buttons and a file become requests. */
(() => {
	const {ask, parts, draw} = window.ewaste;
	const STEP_MS = 250, BUSY_MS = 500, IDLE_MS = 5000, SEND_MS = 60000;
	let due = 0, sending = false;

	// A part that is drawn anew keeps the focus of the keyboard.
	const redraw = () => {
		const place = document.activeElement?.closest("#golden, #bundles");
		draw();
		if (place && !place.contains(document.activeElement)) {
			place.querySelector("section")?.focus({preventScroll: true});
		}
	};
	const look = async () => {
		const answer = await ask("model.json");
		if (answer.ok) Object.assign(parts, await answer.json());
		redraw();
	};
	const step = async () => {
		const place = document.querySelector("#model [data-part]");
		if (document.hidden || sending || !place || !place.offsetParent || Date.now() < due) return;
		try { await look(); } catch { /* the next look asks again */ }
		const busy = document.querySelector("#golden [data-busy], #bundles [data-busy]");
		due = Date.now() + (busy ? BUSY_MS : IDLE_MS);
	};
	const forever = async () => {
		await step();
		setTimeout(forever, STEP_MS);
	};
	forever();

	const send = async (name, address, body, kind, lost) => {
		if (sending) return;
		sending = true;
		let failed = lost;
		try {
			const reply = await ask(address, {
				method: "POST", body, headers: {"Content-Type": kind},
				signal: AbortSignal.timeout(SEND_MS),
			});
			const text = await reply.text();
			failed = reply.ok ? "" : text;
			try { failed = reply.ok ? "" : JSON.parse(text).error; } catch { /* a line of text */ }
			if (reply.ok) {
				Object.assign(parts, JSON.parse(text));
				document.querySelector(`#${name} form`)?.reset();
			}
			redraw();
		} catch { /* reported below */ }
		sending = false;
		due = Date.now() + BUSY_MS;
		say(name, failed);
	};
	const say = (name, text) => {
		const place = document.querySelector(`#${name} [role=status]`);
		if (place) place.textContent = text;
	};
	document.addEventListener("click", (event) => {
		const check = event.target.closest("#golden [data-check]:enabled");
		const back = event.target.closest("#bundles [data-roll-back]:enabled");
		if (check) {
			const {lost} = document.querySelector("#golden [role=status]").dataset;
			send("golden", "model/check", "{}", "application/json", lost);
		}
		const hurry = event.target.closest("#bundles [data-at-once]:enabled");
		if (hurry && window.confirm(hurry.dataset.sure)) {
			send("bundles", "model/now", "{}", "application/json", hurry.form.dataset.lost);
		}
		if (back && window.confirm(back.dataset.sure)) {
			send("bundles", "model/rollback", "{}", "application/json", back.form.dataset.lost);
		}
	});
	document.addEventListener("submit", (event) => {
		const form = event.target.closest("#bundles [data-install]");
		if (!form) return;
		event.preventDefault();
		const [file] = form.bundle.files, {most, none, large, lost} = form.dataset;
		if (!file) return say("bundles", none);
		if (file.size > Number(most)) return say("bundles", large);
		say("bundles", form.dataset.sending);
		send("bundles", "model/install", file, "application/octet-stream", lost);
	});
})();
