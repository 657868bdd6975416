/* The tab "Belt": the set-up of the belt by a printed sheet. The server draws it and knows all words;
   here buttons become requests. */
(() => {
	const {ask, parts, draw} = window.ewaste;
	const STEP_MS = 500, IDLE_MS = 10000, SEND_MS = 30000;
	let due = 0, sending = false;

	const say = (text) => {
		const place = document.querySelector("#belt [role=status]");
		if (place) place.textContent = text;
	};
	// What is typed or chosen is not drawn over.
	const isEdited = () => document.querySelector("#belt form")?.contains(document.activeElement);
	const step = async () => {
		const place = document.querySelector("#belt [data-part]");
		if (document.hidden || sending || !place || !place.offsetParent || Date.now() < due) return;
		due = Date.now() + IDLE_MS;
		if (place.shown && isEdited()) return;
		try {
			const answer = await ask("belt.json");
			if (answer.ok) Object.assign(parts, await answer.json());
			draw();
		} catch { /* the next look asks again */ }
	};
	const forever = async () => {
		await step();
		setTimeout(forever, STEP_MS);
	};
	forever();

	const send = async (form, address, content, focus) => {
		if (sending) return;
		sending = true;
		const {lost} = form.dataset;
		say(form.dataset.sending);
		let failed = lost;
		try {
			const reply = await ask(address, {
				method: "POST", body: JSON.stringify(content),
				headers: {"Content-Type": "application/json"}, signal: AbortSignal.timeout(SEND_MS),
			});
			const text = await reply.text();
			failed = reply.ok ? "" : text;
			try { failed = reply.ok ? "" : JSON.parse(text).error; } catch { /* a line of text */ }
			if (reply.ok) Object.assign(parts, JSON.parse(text));
			draw();
		} catch { /* reported below */ }
		sending = false;
		due = Date.now() + IDLE_MS;
		say(failed);
		if (!failed) document.querySelector(focus)?.focus({preventScroll: true});
	};
	document.addEventListener("submit", (event) => {
		const form = event.target.closest("#belt form");
		if (!form) return;
		event.preventDefault();
		send(form, "belt/picture", {ruler: Number(form.ruler.value), bin: form.bin.value},
			"#belt [data-take]");
	});
	document.addEventListener("click", (event) => {
		const forget = event.target.closest("#belt [data-forget]:enabled");
		const write = event.target.closest("#belt [data-write]:enabled");
		if (forget) send(forget.form, "belt/forget", {}, "#belt [data-take]");
		if (write && window.confirm(write.dataset.sure)) {
			send(write.form, "belt/write", {revision: Number(write.dataset.write)}, "#belt .one");
		}
	});
})();
