"""Commands come in as JSON lines, answers and events go out the same way."""

import asyncio
import json
import os
import sys


def write(line):
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def serve(client_of):
    """Lets clients perform commands until the input ends. `client_of` makes one of its name."""
    asyncio.run(follow(client_of))


async def follow(client_of):
    clients = {}
    reader = asyncio.StreamReader(limit=2**24)
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    write({"ready": True})
    performing = set()
    while line := await reader.readline():
        task = asyncio.ensure_future(perform(clients, client_of, json.loads(line)))
        performing.add(task)
        task.add_done_callback(performing.discard)
    # The SDK's threads outlive the loop.
    os._exit(0)


async def perform(clients, client_of, command):
    name = command.pop("client")
    number = command.pop("id")
    do = command.pop("do")
    try:
        if name not in clients:
            clients[name] = client_of(name)
        client = clients[name]
        write({"id": number, "ok": await getattr(client, do)(**command)})
        if do == "close":
            del clients[name]
    except Exception as error:  # pylint: disable=broad-except
        write({"id": number, "error": f"{type(error).__name__}: {error}"})
