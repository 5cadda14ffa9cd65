"""A client of an MCP server: python client.py py|py-2026 URL. It prints what became of each call."""

import asyncio
import sys
from urllib.parse import parse_qs, urlparse

import httpx2
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata

kind, url = sys.argv[1:3]


class Storage:
    tokens = client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client_info):
        self.client = client_info


storage, back = Storage(), {}


async def redirected(where):
    async with httpx2.AsyncClient() as browser:
        answer = await browser.get(where, follow_redirects=False)
    back.update(parse_qs(urlparse(answer.headers["location"]).query))


async def called_back():
    return AuthorizationCodeResult(code=back["code"][0], state=back["state"][0])


def text(err):
    while isinstance(err, BaseExceptionGroup):
        err = err.exceptions[0]
    return f"refused: {err}"


async def step(name, what):
    try:
        result = await what
        print(f"{name}: {result.content[0].text}")
    except Exception as err:
        print(f"{name}: {text(err)}")


async def main():
    metadata = OAuthClientMetadata(
        client_name="test", redirect_uris=["http://127.0.0.1:9/callback"], token_endpoint_auth_method="none",
        grant_types=["authorization_code"], response_types=["code"],
    )
    auth = OAuthClientProvider(url, metadata, storage, redirected, called_back)
    async with create_mcp_http_client(auth=auth) as http:
        transport = streamable_http_client(url, http_client=http)
        async with Client(transport, mode="legacy" if kind == "py" else "auto") as client:
            print("connect: done")
            await step("list", client.call_tool("list_notes", {}))
            await step("add", client.call_tool("add_note", {"tenant": "acme"}))
            await step("add of others", client.call_tool("add_note", {"tenant": "globex"}))
            await step("forbidden", client.call_tool("drop_all", {}))
    print(f"scope: {storage.tokens.scope}")


try:
    asyncio.run(main())
except Exception as err:
    print(f"connect: {text(err)}")
