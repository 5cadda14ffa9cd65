"""Asks a server by opa-python-client, as its README does, and prints what it returns: a line a call."""
import sys

from opa_client import create_opa_client

host, port = sys.argv[1].removeprefix("http://").split(":")
client = create_opa_client(host=host, port=int(port))


def show(call, *args, **named):
    try:
        print(call, getattr(client, call)(*args, **named))
    except Exception as e:  # each failure is a line
        print(call, type(e).__name__)


show("check_connection")
show("check_health")
show("check_health", {"bundle": True})
show("get_policies_list")
show("query_rule", input_data={"message": "world"}, package_path="play", rule_name="hello")
show("query_rule", input_data={"message": "moon"}, package_path="play", rule_name="hello")
show("bulk_query_rule", [{"message": "world"}, {"message": "moon"}], package_path="play", rule_name="hello")
show("ad_hoc_query", "data.play.hello == true", input_data={"message": "world"})
show("get_data", "play/users")
show("update_policy_from_string", "package x", "x")
show("update_or_create_data", {"a": 1}, "play/users")
show("delete_data", "play/users")
