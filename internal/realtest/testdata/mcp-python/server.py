"""An MCP server behind the gateway: python server.py PORT. It prints a line for each tool that it runs."""

import sys

from mcp.server.mcpserver import MCPServer

server = MCPServer("notes")


def run(name):
    print("ran " + name, flush=True)
    return "done " + name


@server.tool()
def list_notes(tenant: str = "") -> str:
    return run("list_notes")


@server.tool()
def add_note(tenant: str = "") -> str:
    return run("add_note")


@server.tool()
def delete_note(tenant: str = "") -> str:
    return run("delete_note")


server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]), streamable_http_path="/python/mcp")
