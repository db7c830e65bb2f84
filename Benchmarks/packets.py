"""What goes out of addresses and comes in, counted by the kernel. Needs a network of the script's own:
call isolated() before."""
import json
import subprocess

TABLE = "inet swarm_bench"


class Packets:
    """Counts every IP packet from and to each of the addresses from now on, once, also on loopback."""

    def __init__(self, addresses):
        rules = [f"add table {TABLE}",
                 f"add chain {TABLE} out {{ type filter hook output priority 0; }}"]
        for each in addresses:
            for way, field in (("sent", "saddr"), ("received", "daddr")):
                name = f"{way}_{each.replace('.', '_')}"
                rules += [f"add counter {TABLE} {name}",
                          f"add rule {TABLE} out ip {field} {each} counter name {name}"]
        subprocess.run(["nft", "-f", "-"], input="\n".join(rules), text=True, check=True)

    @staticmethod
    def of(address):
        """So far: "sent" and "received", and their bytes."""
        found = {}
        for way in ("sent", "received"):
            said = subprocess.run(
                ["nft", "-j", "list", "counter", *TABLE.split(),
                 f"{way}_{address.replace('.', '_')}"],
                capture_output=True, text=True, check=True).stdout
            counter = next(each["counter"] for each in json.loads(said)["nftables"]
                           if "counter" in each)
            found[way], found[way + " bytes"] = counter["packets"], counter["bytes"]
        return found

    @staticmethod
    def end():
        subprocess.run(["nft", "delete", "table", *TABLE.split()], check=True)
