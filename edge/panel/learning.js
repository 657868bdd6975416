/* The tab "Learning": what is proposed and what was learned. */
(() => {
	const {tab} = window.ewaste;
	const send = tab({
		address: "learning.json", names: ["proposals", "learned"],
		stepMs: 250, idleMs: 5000, sendMs: 60000,
	});
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
