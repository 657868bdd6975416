"""Whole pages beside the main one, rendered by `templates/*.html`; every value is escaped."""

import jinja2

from edge.panel.fragments import TEMPLATES, environment

_environment = environment(jinja2.FileSystemLoader(TEMPLATES))


def render(template: str, **values: object) -> str:
    """Return the text of a template with these values."""
    return _environment.get_template(template).render(values)


def problem_page(problem: str) -> str:
    """Return a page that says what is wrong with what was asked for."""
    return render("problem_page.html", problem=problem)
