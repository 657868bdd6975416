/* The tab "Model": it is looked at oftener while something is at work. */
(() => {
	const {say, tab} = window.ewaste;
	const send = tab({
		address: "model.json", names: ["model", "golden", "bundles"],
		stepMs: 250, idleMs: 5000, busyMs: 500, sendMs: 60000,
		isBusy: () => document.querySelector("#golden [data-busy], #bundles [data-busy]"),
		onTaken: (name) => document.querySelector(`#${name} form`)?.reset(),
	});
	document.addEventListener("click", (event) => {
		const check = event.target.closest("#golden [data-check]:enabled");
		const back = event.target.closest("#bundles [data-roll-back]:enabled");
		if (check) {
			const {lost} = document.querySelector("#golden [role=status]").dataset;
			send("golden", "model/check", {}, lost);
		}
		const hurry = event.target.closest("#bundles [data-at-once]:enabled");
		if (hurry && window.confirm(hurry.dataset.sure)) {
			send("bundles", "model/now", {}, hurry.form.dataset.lost);
		}
		if (back && window.confirm(back.dataset.sure)) {
			send("bundles", "model/rollback", {}, back.form.dataset.lost);
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
		send("bundles", "model/install", file, lost);
	});
})();
