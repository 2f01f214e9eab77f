"""Pages and parts of them from jinja templates, which lie in `templates/` of the package that shows them."""

from functools import cache

from jinja2 import Environment, PackageLoader


@cache
def _environment(package: str) -> Environment:
    return Environment(loader=PackageLoader(package, "templates"), autoescape=True)


def render(package: str, template: str, **values) -> str:
    """Return a template of a package, such as "labkit.plots", with its values put in, each escaped."""
    return _environment(package).get_template(template).render(values)
