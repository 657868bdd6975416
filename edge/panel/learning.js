/* The tab "Learning": its parts are asked for while somebody looks at it. The server draws them and
   knows all words; here buttons become requests. */
(() => {
	const {ask, parts, draw} = window.ewaste;
	const STEP_MS = 250, IDLE_MS = 5000, SEND_MS = 60000;
	const PLACES = "#proposals, #learned";
	let due = 0, sending = false;

	// A part that is drawn anew keeps the focus of the keyboard.
	const redraw = () => {
		const place = document.activeElement?.closest(PLACES);
		draw();
		if (place && !place.contains(document.activeElement)) {
			place.querySelector("section")?.focus({preventScroll: true});
		}
	};
	const step = async () => {
		const place = document.querySelector("#proposals [data-part]");
		if (document.hidden || sending || !place || !place.offsetParent || Date.now() < due) return;
		try {
			const answer = await ask("learning.json");
			if (answer.ok) Object.assign(parts, await answer.json());
			redraw();
		} catch { /* the next look asks again */ }
		due = Date.now() + IDLE_MS;
	};
	const forever = async () => {
		await step();
		setTimeout(forever, STEP_MS);
	};
	forever();

	const say = (name, text) => {
		const place = document.querySelector(`#${name} [role=status]`);
		if (place) place.textContent = text;
	};
	const send = async (name, address, content, lost) => {
		if (sending) return;
		sending = true;
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
			redraw();
		} catch { /* reported below */ }
		sending = false;
		due = Date.now() + IDLE_MS;
		say(name, failed);
	};
	document.addEventListener("click", (event) => {
		const button = event.target.closest("#proposals button, #learned button");
		if (!button || !window.confirm(button.dataset.sure)) return;
		const {accept, reject} = button.dataset;
		const {lost} = button.closest("section").querySelector("[data-lost]").dataset;
		const bin = button.closest(".actions").querySelector("[name=bin]")?.value;
		const accepted = {number: Number(accept), ...(bin ? {bin} : {})};
		if (accept) send("proposals", "learning/accept", accepted, lost);
		else if (reject) send("proposals", "learning/reject", {number: Number(reject)}, lost);
		else send("learned", "learning/rollback", {}, lost);
	});
})();
