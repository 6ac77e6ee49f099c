"""The figures of a build as one page that needs nothing else: charts, tables, what they rest on."""

from nmcompile.report.page.page import page

__all__ = ["page"]
