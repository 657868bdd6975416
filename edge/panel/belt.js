/* The tab "Belt": the set-up of the belt by a printed sheet. */
(() => {
	const {say, tab} = window.ewaste;
	const sendOf = tab({
		address: "belt.json", names: ["belt"], stepMs: 500, idleMs: 10000, sendMs: 30000,
		// What is typed or chosen is not drawn over.
		isEdited: () => document.querySelector("#belt form")?.contains(document.activeElement),
	});
	const send = async (form, address, content, focus) => {
		say("belt", form.dataset.sending);
		if (await sendOf("belt", address, content, form.dataset.lost)) {
			document.querySelector(focus)?.focus({preventScroll: true});
		}
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
