"""The command `node`: what makes a machine a node of a Kubernetes cluster whose pods we wire.

agent      the loop
follow     keeping up with the Nodes;  api  the server's answers;  nodes  what one says
plan       which routes that calls for;  kernel  routes in the kernel
conflist   the network configuration
"""

import argparse
import json
import os
import signal
import sys
import time

from launcher.failures import FAILED, PRIVILEGE

STALE_S = 90  # a state that old is nobody's any more: a look comes every 30 s


def node(options: argparse.Namespace) -> int:
    """Do what the options say: be the agent, say how it fares, or take away what it made."""
    if options.ready:
        return ready(options.state)
    try:
        return remove(options) if options.remove else serve(options)
    except OSError as error:
        hint = f"\n  → {PRIVILEGE}" if isinstance(error, PermissionError) else ""
        print(f"cniwire node: {error}{hint}", file=sys.stderr)
        return FAILED


def serve(options: argparse.Namespace) -> int:
    """Be the agent. Raises OSError."""
    from launcher.node import api  # late: TLS, which nothing else needs
    from launcher.node.agent import Agent, Settings
    from launcher.node.follow import Follower
    from launcher.usage import refuse

    name, url = options.name or os.environ.get("NODE_NAME", ""), options.server or api.in_cluster()
    if not name:
        refuse("node", "the name of this node is missing", "give --name, or set $NODE_NAME")
    if not url.startswith("https://"):
        refuse("node", f"want an API server's https:// URL, found {url!r}", "give --server")
    agent = Agent(Settings(name, options.template, options.conf_dir, options.state))
    return agent.run(Follower(api.Server(url, options.token_file, options.ca_file), agent.wake))


def ready(path: str) -> int:
    """Whether the agent has done what new pods need, told from its file of state; prints what it says."""
    try:
        age_s = time.time() - os.stat(path).st_mtime
        with open(path, encoding="utf-8") as file:
            state = json.load(file)
    except (OSError, ValueError) as error:
        print(f"cniwire node: no agent has written {path}: {error}", file=sys.stderr)
        return FAILED
    print(json.dumps(state, indent=2))
    return 0 if state["ready"] and age_s < STALE_S else FAILED


def remove(options: argparse.Namespace) -> int:
    """Take away the routes and the configuration that are ours. Raises OSError."""
    from launcher.node import conflist, kernel  # late: not for --help

    routes = kernel.Routes()
    done = routes.clear()
    for path in conflist.ours(options.conf_dir) if os.path.isdir(options.conf_dir) else []:
        os.unlink(path)
        done.append(f"removed {path}")
    for line in done or ["there is nothing of ours"]:
        print(f"cniwire node: {line}", file=sys.stderr, flush=True)
    if options.stay:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        signal.pause()
    return 0
