"""redis-servers that speak TLS alone: by themselves, and behind a Sentinel that does so, too."""

from harness import Process, free_port, wait_until
from redises import Redis, Sentinel


def files(certificate, authority):
    cert, key = certificate
    return {"tls-cert-file": str(cert), "tls-key-file": str(key),
            "tls-ca-cert-file": str(authority.path), "tls-replication": "yes"}


class SecureRedis(Redis):
    """With tls-auth-clients="yes" it wants to see a certificate."""

    def __init__(self, certificate, authority, **options):
        cert, key = certificate
        self.cli = ("--tls", "--cacert", str(authority.path), "--cert", str(cert), "--key", str(key))
        super().__init__(**{"tls-auth-clients": "no", **files(certificate, authority), **options})

    def start(self):
        self.url = f"rediss://127.0.0.1:{self.port}"
        self.options |= {"port": "0", "tls-port": str(self.port)}
        super().start()


class SecureSentinel(Sentinel):
    """The first host of its URL is nobody."""

    def __init__(self, master, certificate, authority):
        self.port = free_port()
        self.url = f"rediss+sentinel://127.0.0.1:1,127.0.0.1:{self.port}/mymaster"
        conf = master.folder / "sentinel.conf"
        conf.write_text(f"port 0\ntls-port {self.port}\nbind 127.0.0.1\ntls-auth-clients no\n" +
                        "".join(f"{name} {value}\n" for name, value in
                                files(certificate, authority).items()) +
                        f"sentinel monitor mymaster 127.0.0.1 {master.port} 1\n")
        self.process = Process(["redis-server", conf, "--sentinel"], master.folder / "sentinel.log")
        wait_until(lambda: "+monitor" in self.process.log(), 20, "the Sentinel")


def cluster_of_two(stack, certificate, authority):
    """The one that has all slots, and the other."""
    options = {"cluster-enabled": "yes", "tls-cluster": "yes"}
    nodes = [stack.enter_context(SecureRedis(certificate, authority, **options)) for _ in range(2)]
    owner, other = nodes
    owner.do("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    owner.do("CLUSTER", "MEET", "127.0.0.1", other.port, other.port + 10000)
    wait_until(lambda: "cluster_state:ok" in other.do("CLUSTER", "INFO"), 30, "the Cluster")
    return owner, other
