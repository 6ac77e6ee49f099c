"""`nmc doctor`."""
import click
command = click.Command("doctor")
