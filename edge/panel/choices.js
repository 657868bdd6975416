/* What a visitor chooses for this browser: the language, and light or dark. Cookies keep it, for the
   server writes most of the page. */
(() => {
	const YEAR_S = 31536000;
	// A proxy may serve the page below a path.
	const path = new URL("./", location.href).pathname;
	const keep = (name, value) => {
		const secure = location.protocol === "https:" ? "; Secure" : "";
		document.cookie = `${name}=${value}; Path=${path}; Max-Age=${YEAR_S}; SameSite=Strict${secure}`;
	};
	const kept = (name) => {
		const found = document.cookie.split("; ").find((each) => each.startsWith(`${name}=`));
		return found ? found.slice(name.length + 1) : "";
	};
	const show = () => {
		const select = document.querySelector("[data-choice=ewaste_colors]");
		const colors = kept("ewaste_colors");
		if (select && [...select.options].some((each) => each.value === colors)) select.value = colors;
		return Boolean(select);
	};
	// Gradio draws the page after this runs.
	const wait = () => { if (!show()) setTimeout(wait, 100); };
	wait();
	document.addEventListener("change", (event) => {
		const select = event.target.closest("[data-choice]");
		if (!select) return;
		keep(select.dataset.choice, select.value);
		location.reload();
	});
})();
