/* The login form. Addresses are relative, for a proxy may serve the page below a path. */
(() => {
	const form = document.querySelector("form"), button = form.querySelector("button");
	const status = form.querySelector("[role=alert]");
	const open = () => location.replace("./");
	// Who followed a link from elsewhere has a session, whose cookie did not come along.
	fetch("account.json", {cache: "no-store"}).then((answer) => { if (answer.ok) open(); }, () => {});
	form.addEventListener("submit", async (event) => {
		event.preventDefault();
		if (button.disabled) return;
		button.disabled = true;
		status.textContent = "";
		const name = document.querySelector("#name"), password = document.querySelector("#password");
		let text = "";
		try {
			const reply = await fetch("login", {
				method: "POST", headers: {"Content-Type": "application/json"}, cache: "no-store",
				body: JSON.stringify({name: name.value, password: password.value}),
				signal: AbortSignal.timeout(20000),
			});
			if (reply.ok) return open();
			text = await reply.text();
			text = JSON.parse(text).error;
		} catch {
			text = text || form.dataset.failed;
		}
		status.textContent = text;
		button.disabled = false;
		password.select();
		password.focus();
	});
})();
