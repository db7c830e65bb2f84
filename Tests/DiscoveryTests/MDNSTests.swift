import Metainfo
import TestSupport
import Testing
import Wire

@testable import Discovery

/// Whole responders on networks in memory.
@Suite struct MDNSTests {
  @Test func ourOwnNamesAreNames() {
    #expect(DomainName.bitTorrentService != .root && DomainName.serviceTypes != .root)
    #expect(
      MDNSServiceType.bitTorrent(infohash(1)).question.map { "\($0)" }
        == "_\(infohash(1).hex)._sub._bittorrent._tcp.local.")
  }

  /// Section 8.1, 8.3: three probes at 250 ms with what is claimed, then two announcements at 1 s.
  @Test func aNameIsProbedForAndThenAnnounced() throws {
    let network = MDNSNetwork(seed: 1)
    let host = network.host("h")
    _ = host.mdns.publish(service("x"), now: network.now)
    network.run(for: .seconds(10))
    let messages = try host.messages()
    let probes = messages.filter { !$0.message.authorities.isEmpty }
    #expect(probes.count == 3)
    #expect(probes[0].time - .seconds(1_000) <= .milliseconds(250))
    #expect(probes[1].time - probes[0].time == .milliseconds(250))
    #expect(probes[2].time - probes[1].time == .milliseconds(250))
    for probe in probes {
      #expect(probe.message.questions.map(\.type) == [.any, .any])
      #expect(Set(probe.message.authorities.map(\.data.type)) == [.a, .srv, .txt])
      #expect(probe.message.authorities.allSatisfy { !$0.flushesCache })
    }
    let said = messages.filter { $0.message.flags.contains(.response) }
    #expect(said.count == 2)
    #expect(said[0].time - probes[2].time == .milliseconds(250))
    #expect(said[1].time - said[0].time >= .seconds(1))
    let types = said[0].message.answers.map(\.data.type)
    #expect(Set(types) == [.a, .srv, .txt, .ptr] && types.count(where: { $0 == .ptr }) == 2)
    for record in said[0].message.answers {
      #expect(record.flushesCache == (record.data.type != .ptr))
    }
  }

  @Test(arguments: [false, true])
  func peersFindEachOther(asksForUnicast: Bool) throws {
    let network = MDNSNetwork(seed: 2)
    let a = network.host("a", asksForUnicast: asksForUnicast)
    let b = network.host("b", asksForUnicast: asksForUnicast)
    _ = a.mdns.publish(service("aa", [1, 2], port: 1_111), now: network.now)
    network.run(for: .seconds(20))
    _ = b.mdns.publish(service("bb", [2, 3], port: 2_222), now: network.now)
    let all = b.mdns.browse(.bitTorrent, now: network.now)
    let two = b.mdns.browse(.bitTorrent(infohash(2)), now: network.now)
    let three = b.mdns.browse(.bitTorrent(infohash(3)), now: network.now)
    let back = a.mdns.browse(.bitTorrent(infohash(3)), now: network.now)
    network.run(for: .seconds(2))
    let found = try #require(b.found[all]?["aa/\(b.interfaces[0].index)"])
    #expect(
      found.endpoints == [PeerEndpoint(address: MDNSNetwork.address(1, 0), port: 1_111)])
    #expect(found.txt == [Array("v=1".utf8)] && "\(found.host)" == "a.local.")
    #expect(b.found[two]?.count == 1 && b.found[three] == nil && b.found[all]?.count == 1)
    #expect(a.found[back]?.values.map(\.endpoints.first?.port) == [2_222])
  }

  /// Section 9, whichever begins first, and whatever is lost: no two hold a name in the end.
  @Test func conflictsAreResolved() throws {
    for seed in UInt64(0)..<30 {
      let network = MDNSNetwork(seed: seed)
      network.loss = [0, 0, 20][Int(seed % 3)]
      var hosts: [MDNSHost] = []
      var browses: [MDNSBrowseID] = []
      for number in 0..<4 {
        let host = network.host("same")
        hosts.append(host)
        _ = host.mdns.publish(service("x", port: UInt16(1_000 + number)), now: network.now)
        browses.append(host.mdns.browse(.bitTorrent, now: network.now))
        if seed.isMultiple(of: 2) { network.run(for: .milliseconds(Int(seed) * 40)) }
      }
      network.run(for: .seconds(network.loss > 0 ? 300 : 60))
      #expect(Set(hosts.map { $0.mdns.hostName }).count == 4, "seed \(seed)")
      let names = Set(hosts.map { $0.renamed.last ?? "x" })
      #expect(names.count == 4, "seed \(seed): \(names)")
      if network.loss == 0 {
        for (host, browse) in zip(hosts, browses) {
          let ports = (host.found[browse] ?? [:]).values.flatMap(\.endpoints).map(\.port)
          #expect(Set(ports).count == 3, "seed \(seed): \(ports)")
        }
      }
    }
  }

  @Test func whoHasANameKeepsIt() throws {
    let network = MDNSNetwork(seed: 5)
    let first = network.host("h")
    _ = first.mdns.publish(service("x"), now: network.now)
    network.run(for: .seconds(5))
    let second = network.host("h")
    _ = second.mdns.publish(service("x"), now: network.now)
    let browse = first.mdns.browse(.bitTorrent, now: network.now)
    network.run(for: .seconds(5))
    #expect("\(first.mdns.hostName)" == "h.local." && "\(second.mdns.hostName)" == "h-2.local.")
    #expect(first.renamed.isEmpty && second.renamed == ["x (2)"])
    let found = try #require(first.found[browse]?.values.first)
    #expect("\(found.host)" == "h-2.local." && found.name == Array("x (2)".utf8))
  }

  /// Section 8.2: of two that probe at once, the one with the later data wins. Both probes were under
  /// way, so the loser waits a second and then meets the winner's answer.
  @Test func simultaneousProbesAreDecidedByTheirData() throws {
    let network = MDNSNetwork(seed: 6)
    let low = network.host("h")
    let high = network.host("h")
    network.run(for: .seconds(5))
    #expect("\(high.mdns.hostName)" == "h.local." && "\(low.mdns.hostName)" == "h-2.local.")
  }

  @Test func goodbyesAreHonoured() throws {
    let network = MDNSNetwork(seed: 7)
    let a = network.host("a")
    let b = network.host("b")
    let id = a.mdns.publish(service("x", [1, 2]), now: network.now)
    let all = b.mdns.browse(.bitTorrent, now: network.now)
    let one = b.mdns.browse(.bitTorrent(infohash(1)), now: network.now)
    let two = b.mdns.browse(.bitTorrent(infohash(2)), now: network.now)
    network.run(for: .seconds(5))
    #expect(b.found[all]?.count == 1 && b.found[one]?.count == 1 && b.found[two]?.count == 1)
    a.mdns.update(id, service("x", [2, 3], port: 99), now: network.now)
    let three = b.mdns.browse(.bitTorrent(infohash(3)), now: network.now)
    network.run(for: .seconds(3))
    #expect(b.found[one]?.isEmpty == true && b.found[three]?.count == 1)
    #expect(b.found[all]?.values.first?.endpoints.first?.port == 99)
    a.mdns.shutDown(now: network.now)
    network.run(for: .milliseconds(900))
    #expect(a.mdns.hasEnded && b.found[all]?.count == 1, "held for a second")
    network.run(for: .milliseconds(300))
    #expect(b.found[all]?.isEmpty == true && b.found[three]?.isEmpty == true)
    let count = a.sent.count
    network.run(for: .seconds(100))
    #expect(a.sent.count == count && a.mdns.deadline == nil)
  }

  /// Section 5.2, 10: who goes without a word is asked for at 80, 85, 90 and 95 hundredths of two
  /// minutes, and then gone.
  @Test func whoIsSilentIsAskedAndThenLost() throws {
    let network = MDNSNetwork(seed: 8)
    let a = network.host("a")
    let b = network.host("b")
    _ = a.mdns.publish(service("x"), now: network.now)
    let browse = b.mdns.browse(.bitTorrent, now: network.now)
    network.run(for: .seconds(200))
    #expect(b.found[browse]?.count == 1, "refreshed")
    a.isOff = true
    let heard = try #require(a.sent.last?.time)
    let asked = b.sent.count
    network.run(for: .seconds(121) - (network.now - heard))
    #expect(b.found[browse]?.isEmpty == true)
    let questions = try b.messages().dropFirst(asked).flatMap(\.message.questions)
    #expect(questions.filter { $0.type == .srv }.count >= 3)
  }

  /// 1,000 torrents: packets that fit a frame, at most 21 a second, and the last hundred are found.
  @Test func manySubtypesArePackedAndPaced() throws {
    let network = MDNSNetwork(seed: 9)
    let a = network.host("a")
    let b = network.host("b")
    _ = a.mdns.publish(service("x", Array(0..<1_000)), now: network.now)
    network.run(for: .seconds(15))
    #expect(a.sent.allSatisfy { $0.bytes.count <= 1_452 })
    #expect(a.sent.count < 110, "two announcements of 40 packets, and probes")
    for start in 0..<15 {
      let second = Duration.seconds(1_000 + start)..<Duration.seconds(1_001 + start)
      #expect(a.sent.count { second.contains($0.time) } <= 24)
    }
    let said = Set(try a.messages().flatMap(\.message.answers).map(\.name))
    #expect(said.count { $0.labels.contains(Array("_sub".utf8)[...]) } == 1_000)
    let browses = (900..<1_000).map { b.mdns.browse(.bitTorrent(infohash($0)), now: network.now) }
    network.run(for: .seconds(10))
    #expect(browses.allSatisfy { b.found[$0]?.count == 1 })
    #expect(b.sent.count < 30, "\(b.sent.count)")
    a.mdns.shutDown(now: network.now)
    network.run(for: .seconds(2))
    #expect(a.mdns.hasEnded && browses.allSatisfy { b.found[$0]?.isEmpty == true })
  }

  @Test func interfacesComeAndGo() throws {
    let network = MDNSNetwork(seed: 10)
    let a = network.host("a", network: 1)
    let b = network.host("b", network: 1)
    let c = network.host("c", network: 2)
    network.plug(a, into: 2, both: true)
    _ = a.mdns.publish(service("x"), now: network.now)
    let ofB = b.mdns.browse(.bitTorrent, now: network.now)
    let ofC = c.mdns.browse(.bitTorrent, now: network.now)
    let ofA = a.mdns.browse(.bitTorrent, now: network.now)
    _ = c.mdns.publish(service("z"), now: network.now)
    network.run(for: .seconds(5))
    #expect(b.found[ofB]?.values.first?.endpoints.map(\.address) == [MDNSNetwork.address(1, 1)])
    #expect(c.found[ofC]?.values.first?.endpoints.map(\.address) == [MDNSNetwork.address(1, 2)])
    #expect(a.found[ofA]?.count == 1)
    network.unplug(a, from: 2)
    #expect(a.found[ofA]?.isEmpty == true)
    network.run(for: .seconds(300))
    #expect(c.found[ofC]?.isEmpty == true && b.found[ofB]?.count == 1)
    network.plug(a, into: 2)
    network.run(for: .seconds(5))
    #expect(c.found[ofC]?.count == 1 && a.found[ofA]?.count == 1)
    // Another address on the same interface.
    a.interfaces[0].addresses = [.init(MDNSNetwork.address(77, 1), prefixLength: 24)]
    a.mdns.setInterfaces(a.interfaces, now: network.now)
    network.run(for: .seconds(3))
    #expect(b.found[ofB]?.values.first?.endpoints.map(\.address) == [MDNSNetwork.address(77, 1)])
  }

  /// A machine with two interfaces on one network hears itself from another address.
  @Test func twoInterfacesOnOneNetworkAreNoConflict() {
    let network = MDNSNetwork(seed: 11)
    let a = network.host("a", network: nil)
    network.plug(a, into: 1, as: 1)
    network.plug(a, into: 1, as: 2)
    _ = a.mdns.publish(service("x"), now: network.now)
    let browse = a.mdns.browse(.bitTorrent, now: network.now)
    network.run(for: .seconds(60))
    #expect("\(a.mdns.hostName)" == "a.local." && a.renamed.isEmpty && a.found[browse] == nil)
  }

  /// Everyone finds everyone, whatever is lost, and the same seed plays the same again.
  @Test func inTheEndEveryoneFindsEveryone() throws {
    for seed in UInt64(100)..<110 {
      let run = Self.crowd(seed: seed)
      #expect(run.found == 56, "seed \(seed)")
      if seed == 100 { #expect(Self.crowd(seed: seed).packets == run.packets) }
    }
  }

  private static func crowd(seed: UInt64) -> (found: Int, packets: [[UInt8]]) {
    let network = MDNSNetwork(seed: seed)
    network.loss = 25
    var browses: [MDNSBrowseID] = []
    for number in 0..<8 {
      let host = network.host("h\(number)")
      _ = host.mdns.publish(service("x\(number)", [number % 2]), now: network.now)
      browses.append(host.mdns.browse(.bitTorrent, now: network.now))
      network.run(for: .milliseconds(Int(seed) * number))
    }
    network.run(for: .seconds(400))
    let found = zip(network.hosts, browses).map { $0.found[$1]?.count ?? 0 }.reduce(0, +)
    return (found, network.hosts.flatMap { $0.sent.map(\.bytes) })
  }
}
