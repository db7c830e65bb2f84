import Metainfo
import Swarm
import Testing
import Wire

@testable import Discovery
@testable import SwarmNode
@testable import SwarmTool

@Suite struct SurroundingsTests {
  static let key = DatasetKey([UInt8](repeating: 0xab, count: 32))!

  static let all: Surroundings = {
    var status = DHTStatus()
    var family = DHTStatus.Family(id: NodeID([UInt8](repeating: 1, count: 20))!)
    (family.goodNodes, family.questionableNodes) = (40, 2)
    family.externalAddress = .v4(IPv4Address(rawValue: 0xcb00_7107))
    status.v4 = family
    var discovery = DiscoveryStatus()
    discovery.dht = .used(status)
    var local = LocalNetworkStatus()
    local.hasMDNS = true
    local.interfaces = [
      NetworkInterface(
        index: 2, name: "eth0",
        addresses: [.init(.v4(IPv4Address(rawValue: 0xc0a8_0105)), prefixLength: 24)])
    ]
    discovery.localNetwork = .used(local)
    let gateway = IPAddress.v4(IPv4Address(rawValue: 0xc0a8_0101))
    let mapped = MappedPort(
      service: .upnp, externalPort: 6_881, externalAddress: family.externalAddress, lifetime: 7_200)
    discovery.mappings = .used([
      Mapping(wanted: PortWanted(.tcp, 6_881), gateway: gateway, state: .failed(.noAnswer)),
      Mapping(wanted: PortWanted(.tcp, 6_881), gateway: gateway, state: .mapped(mapped)),
      Mapping(wanted: PortWanted(.udp, 6_881), gateway: nil, state: .noGateway),
    ])
    var surroundings = Surroundings()
    surroundings.discovery = discovery
    var dataset = Surroundings.Dataset(key: key)
    (dataset.version, dataset.headAge) = (3, 7_300)
    surroundings.dataset = dataset
    surroundings.ahead = Surroundings.Ahead(
      version: 3, count: 12, files: ["a.txt", "b.txt"], fault: nil)
    return surroundings
  }()

  @Test func whatPeopleSee() {
    let lines = Self.all.lines(width: 400)
    #expect(
      lines == [
        "DHT: 42 nodes, which sees us at 203.0.113.7  local network: eth0  "
          + "port: TCP 6881: mapped by UPnP at 203.0.113.7:6881",
        "version 3 of \(Self.key), known for 2 h",
        "the folder is ahead of its published version 3: 12 files differ (a.txt, b.txt, …)",
      ])
    for width in 0...120 {
      #expect(Self.all.lines(width: width).allSatisfy { $0.count < max(width, 1) })
    }
    #expect(Surroundings().lines(width: 80).isEmpty && Surroundings().settled.isEmpty)
    #expect(
      Self.all.settled == [
        "the DHT is reached, which sees us at 203.0.113.7",
        "TCP 6881: the router does not answer", "TCP 6881: mapped by UPnP at 203.0.113.7:6881",
      ])
  }

  @Test func whatIsNotThereIsSaid() {
    var surroundings = Surroundings()
    var discovery = DiscoveryStatus()
    discovery.dht = .impossible("the UDP port is taken")
    discovery.localNetwork = .used(LocalNetworkStatus())
    surroundings.discovery = discovery
    surroundings.dataset = Surroundings.Dataset(key: Self.key)
    #expect(
      surroundings.lines(width: 200) == [
        "DHT: none  local network: none", "dataset \(Self.key): no version found yet",
      ])
    let json = JSON.object(surroundings.json).line
    #expect(json.contains(#""fault": "the UDP port is taken""#))
    #expect(json.contains(#""mappings": null"#) && json.contains(#""ahead": null"#))
    discovery.dht = .used(DHTStatus())
    surroundings.discovery = discovery
    #expect(surroundings.lines(width: 200)[0].hasPrefix("DHT: looking for nodes"))
    #expect(surroundings.settled.isEmpty)
    #expect(
      JSON.object(Surroundings().json).line
        == #"{"dht": null, "local_network": null, "mappings": null, "dataset": null, "ahead": null}"#
    )
  }

  @Test(arguments: [
    (0, "0 s"), (59, "59 s"), (60, "1 min"), (3_599, "59 min"), (3_600, "1 h"), (172_799, "47 h"),
    (172_800, "2 days"),
  ])
  func ages(seconds: UInt64, text: String) {
    #expect(Quantity.age(seconds: seconds) == text)
  }
}
