/* What the tabs have in common whose parts are asked for while somebody looks at them, and whose
   buttons become requests, one at a time. The server draws the parts and knows all words. */
(() => {
	const {ask, parts, draw, send} = window.ewaste;
	const say = (name, text) => {
		const place = document.querySelector(`#${name} [role=status]`);
		if (place) place.textContent = text;
	};
	/* Looks at `address` for the parts `names`, the first of which is always there; returns what sends
	   a request and tells in the part `name` what failed. A part that is edited is not drawn over. */
	const tab = ({
		address, names, stepMs, idleMs, sendMs, busyMs = idleMs, isBusy = () => false,
		isEdited = () => false, onTaken = () => {},
	}) => {
		const places = names.map((name) => `#${name}`).join(", ");
		let due = 0, sending = false;

		// A part that is drawn anew keeps the focus of the keyboard.
		const redraw = () => {
			const place = document.activeElement?.closest(places);
			draw();
			if (place && !place.contains(document.activeElement)) {
				place.querySelector("section")?.focus({preventScroll: true});
			}
		};
		const look = async () => {
			const answer = await ask(address);
			if (answer.ok) Object.assign(parts, await answer.json());
			redraw();
		};
		const step = async () => {
			const place = document.querySelector(`#${names[0]} [data-part]`);
			if (document.hidden || sending || !place?.offsetParent || Date.now() < due) return;
			try { if (!isEdited()) await look(); } catch { /* the next look asks again */ }
			due = Date.now() + (isBusy() ? busyMs : idleMs);
		};
		const forever = async () => {
			await step();
			setTimeout(forever, stepMs);
		};
		forever();

		return async (name, target, content, lost) => {
			if (sending) return false;
			sending = true;
			const {answer, failed} = await send(target, content, lost, sendMs);
			if (answer) {
				Object.assign(parts, answer);
				onTaken(name);
			}
			redraw();
			sending = false;
			due = Date.now() + busyMs;
			say(name, failed);
			return Boolean(answer);
		};
	};
	Object.assign(window.ewaste, {say, tab});
})();
