/* What a person works with: the search of items, the review by keys, and the measured quality. The
   server draws each part; here buttons and keys become requests. */
(() => {
	const {send, parts, draw, words, nameOf} = window.ewaste;
	// On a narrow screen Gradio puts the last tabs into a menu.
	const TAB = "[role=tab], .overflow-dropdown button";
	const running = new Set();
	let onlySample = false, audit = null, filters = {};

	const say = (place, text) => {
		const status = document.querySelector(`#${place} [role=status]`);
		if (status) status.textContent = text;
		else Object.assign(parts, {[place]: Object.assign(document.createElement("p"), {
			className: "banner stalled", textContent: text}).outerHTML});
		draw();
	};
	// One request at a time: a key answers for the item that is seen.
	const post = async (place, address, content) => {
		if (running.has(place)) return false;
		running.add(place);
		const {answer, failed} = await send(address, content, words.failed);
		running.delete(place);
		if (answer) {
			Object.assign(parts, answer);
			draw();
		} else {
			say(place, failed);
		}
		return Boolean(answer);
	};
	const region = () => {
		const place = document.querySelector("#review .review");
		return place && place.offsetParent ? place : null;
	};
	const focusOn = (selector) => {
		const place = document.querySelector(selector);
		if (place) place.focus({preventScroll: true});
	};
	const openTab = (name) =>
		[...document.querySelectorAll(TAB)].find((tab) => nameOf(tab) === name)?.click();

	const which = () => (audit === null ? {only_sample: onlySample} : {audit});
	const queue = async (content) => {
		if (await post("review", "queue", {...content, ...which()})) focusOn("#review .review");
	};
	const answer = async (content) => {
		if (await post("review", "review", {...content, ...which()})) focusOn("#review .review");
	};
	// The look-alikes that the answer is for too: those that nobody has taken out.
	const alike = () => {
		const kept = region().querySelectorAll("[data-twin][aria-pressed=true]");
		return kept.length ? {alike: [...kept].map((each) => each.dataset.twin)} : {};
	};
	const twins = (chosen, inGroup) => {
		for (const each of chosen) each.setAttribute("aria-pressed", String(inGroup));
		const place = region(), count = place.querySelectorAll("[data-twin][aria-pressed=true]").length;
		place.querySelector("[data-together]").textContent = String(count + 1);
		place.querySelector("[data-alone]").setAttribute("aria-pressed", String(count === 0));
		// What is taken out stays so when Gradio draws the tab anew.
		const part = place.closest("[data-part]");
		parts.review = part.shown = part.innerHTML;
	};
	const search = (place) => post("search", "items", {...filters, ...place});
	const openItem = async (item) => {
		if (await post("search", "item", {item})) {
			document.querySelector("#item .one")?.scrollIntoView({block: "start"});
			focusOn("#item .one");
		}
	};
	const measure = (content) => post("quality", "quality", content);
	const inspect = () => post("audit", "audit", {});

	// What is drawn anew must not take the focus from who works with keys.
	const alarms = async (address, content) => {
		const held = document.activeElement?.closest("#alarms .raised-alarm")?.dataset.alarm;
		const done = await post(content === null ? "health" : "alarms", address, content);
		if (!held || document.activeElement?.closest("#alarms .alarms")) return done;
		const button = document.querySelector(`#alarms [data-alarm="${held}"] button`)
			|| document.querySelector("#alarms [data-acknowledge]");
		(button || document.querySelector("#alarms .alarms"))?.focus({preventScroll: true});
		return done;
	};
	setInterval(() => {
		const place = document.querySelector("#alarms [data-part]");
		if (!document.hidden && place?.offsetParent) alarms("alarms.json", null);
	}, 2000);

	const TABS = {
		Health: () => alarms("alarms.json", null),
		Items: async () => {
			if (!parts.search) await post("search", "search.json", null);
			if (!parts.found) search({});
		},
		Review: () => {
			const item = document.querySelector("#review .review")?.dataset.item;
			queue(item ? {item} : {});
		},
		Quality: async () => {
			await measure({});
			inspect();
		},
	};
	let asked = null;
	const reviewItem = (item) => {
		audit = null;
		asked = {item};
		openTab("Review");
	};
	const act = {
		[TAB]: (tab) => {
			const name = nameOf(tab), content = asked;
			asked = null;
			setTimeout(() => {
				if (name === "Review" && content) queue(content);
				else if (Object.hasOwn(TABS, name)) TABS[name]();
			});
		},
		"#review [data-label]": (button) =>
			answer({item: region().dataset.item, label: button.dataset.label, ...alike()}),
		"#review [data-no-class]": (button) =>
			answer({item: region().dataset.item, no_class: button.dataset.noClass, ...alike()}),
		"#review [data-twin]": (button) => twins([button], button.ariaPressed !== "true"),
		"#review [data-alone]": (button) =>
			twins(region().querySelectorAll("[data-twin]"), button.ariaPressed === "true"),
		"#review [data-undo]": (button) =>
			answer({item: button.dataset.undoItem, undo: Number(button.dataset.undo)}),
		"#review [data-move]": (button) =>
			queue({beside: region().dataset.item, newer: button.dataset.move === "newer"}),
		"#review [data-leave-audit]": () => {
			audit = null;
			queue({});
		},
		"[data-review-item]": (button) => reviewItem(button.dataset.reviewItem),
		"#audit [data-judge]": (button) => {
			audit = Number(button.dataset.judge);
			asked = {};
			openTab("Review");
		},
		"#audit [data-inspect]": inspect,
		"#audit [data-cancel]": (button) =>
			post("audit", "pieces/cancel", {number: Number(button.dataset.cancel)}),
		"[data-open-tab]": (button) => openTab(button.dataset.openTab),
		"#alarms [data-acknowledge]": (button) =>
			alarms("alarms/acknowledge", {names: [button.dataset.acknowledge]}),
		"#alarms [data-shelve]": (button) => alarms(
			"alarms/shelve", {name: button.dataset.shelve, hours: Number(button.dataset.hours)}),
		"#alarms [data-unshelve]": (button) =>
			alarms("alarms/unshelve", {name: button.dataset.unshelve}),
		"#alarms [data-reference]": () => alarms("alarms/reference", {}),
		"#alarms [data-example]": (button) => {
			openTab("Items");
			openItem(button.dataset.example);
		},
		"#found .open": (button) => openItem(button.dataset.item),
		"#item [data-close]": () => {
			parts.item = "";
			draw();
		},
		"#found [data-before]:enabled": (button) => search({before: Number(button.dataset.before)}),
		"#found [data-after]:enabled": (button) => search({after: Number(button.dataset.after)}),
	};
	// Before Gradio: on a narrow screen it gives a button in the menu another tab's name.
	document.addEventListener("click", (event) => {
		for (const [selector, action] of Object.entries(act)) {
			const place = event.target.closest(selector);
			if (place && !place.disabled) {
				action(place);
				return;
			}
		}
	}, {capture: true});
	document.addEventListener("submit", (event) => {
		if (!event.target.closest("#search, #quality, #audit, #review")) return;
		event.preventDefault();
		if (event.target.closest("#review")) {
			const name = event.target.elements.name.value.trim();
			if (!name) return say("review", event.target.dataset.empty);
			answer({item: region().dataset.item, no_class: "other", name, ...alike()});
			return;
		}
		if (event.target.closest("#quality")) return;
		if (event.target.closest("#audit")) {
			const content = Object.fromEntries(new FormData(event.target));
			for (const name of ["count", "pieces", "number"])
				if (name in content) content[name] = Number(content[name]);
			post("audit", event.target.dataset.address, content);
			return;
		}
		filters = Object.fromEntries([...new FormData(event.target)].filter(([, value]) => value !== ""));
		search({});
	});
	document.addEventListener("reset", (event) => {
		if (!event.target.closest("#search")) return;
		filters = {};
		search({});
	});
	document.addEventListener("change", (event) => {
		const form = event.target.closest("#quality form");
		if (form) measure({bundle: form.bundle.value, width: Number(form.width.value)});
		if (event.target.closest("#review [name=only_sample]")) {
			onlySample = event.target.checked;
			queue({});
		}
	});
	document.addEventListener("keydown", (event) => {
		const place = region();
		if (!place || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
		if (event.target.closest("input, select, textarea, [contenteditable], [role=tab]")) return;
		// A button that has the focus keeps its own keys.
		if (event.key === " " && event.target.closest("button")) return;
		const key = event.key.toLowerCase();
		const button = [...place.querySelectorAll("[data-key]")].find((each) => each.dataset.key === key);
		if (!button) return;
		event.preventDefault();
		if (!button.disabled) button.click();
	});
})();
