import Metainfo
import TestSupport
import Testing
import Wire

@testable import Discovery

/// One responder, and a questioner who is not ours. Sections of RFC 6762.
@Suite struct MDNSScriptTests {
  static let stranger = PeerEndpoint(
    address: .v4(IPv4Address(rawValue: 0x0a00_00c8)), port: 5_353)
  static let subtype = MDNSServiceType.bitTorrent(infohash(1)).question!
  static let instance = MDNSServiceType.bitTorrent.name.child(Array("x".utf8))!

  /// A responder that has said all it says by itself, long ago.
  static func ready(after: Duration = .seconds(100)) -> (MDNSNetwork, MDNSHost) {
    let network = MDNSNetwork(seed: 42)
    let host = network.host("h")
    _ = host.mdns.publish(service("x", [1]), now: network.now)
    network.run(for: after)
    host.sent = []
    return (network, host)
  }

  static func query(
    _ name: DomainName, _ type: DNSType, unicast: Bool = false, known: [DNSRecord] = []
  ) -> DNSMessage {
    var message = DNSMessage()
    message.questions = [DNSQuestion(name: name, type: type, wantsUnicast: unicast)]
    message.answers = known
    return message
  }

  static func pointer(to name: DomainName, timeToLive: UInt32) -> DNSRecord {
    DNSRecord(name: subtype, data: .ptr(name), timeToLive: timeToLive)
  }

  @Test func aSharedAnswerWaitsAndAUniqueOneDoesNot() throws {
    let (network, host) = Self.ready()
    network.inject(Self.query(Self.instance, .srv), from: Self.stranger, to: host)
    #expect(host.sent.count == 1 && host.sent.first?.time == network.now)
    network.run(for: .seconds(5))
    host.sent = []
    let asked = network.now
    network.inject(Self.query(Self.subtype, .ptr), from: Self.stranger, to: host)
    #expect(host.sent.isEmpty)
    network.run(for: .seconds(5))
    #expect(host.sent.count == 1)
    let answer = try #require(try host.messages().first)
    #expect((.milliseconds(20) ... .milliseconds(120)).contains(answer.time - asked))
    #expect(answer.message.answers.map(\.data) == [.ptr(Self.instance)])
    // RFC 6763, 12.1: what will be asked next.
    #expect(Set(answer.message.additionals.map(\.data.type)) == [.srv, .txt, .a, .nsec])
  }

  /// 7.1: not what the questioner knows for half of its time or longer.
  @Test(arguments: [(4_500, 0), (2_250, 0), (2_249, 1)] as [(UInt32, Int)])
  func knownAnswersAreNotRepeated(left: UInt32, answers: Int) {
    let (network, host) = Self.ready()
    let known = Self.pointer(to: Self.instance, timeToLive: left)
    network.inject(Self.query(Self.subtype, .ptr, known: [known]), from: Self.stranger, to: host)
    network.run(for: .seconds(5))
    #expect(host.sent.count == answers)
  }

  /// 7.2: known answers may come in further packets, for which there is half a second.
  @Test(arguments: [false, true])
  func knownAnswersMayComeLater(isKnown: Bool) throws {
    let (network, host) = Self.ready()
    var first = Self.query(Self.subtype, .ptr)
    first.flags = .truncated
    let asked = network.now
    network.inject(first, from: Self.stranger, to: host)
    network.run(for: .milliseconds(200))
    #expect(host.sent.isEmpty)
    var second = DNSMessage()
    let other = try #require(Self.subtype.child(Array("o".utf8)))
    second.answers = [Self.pointer(to: isKnown ? Self.instance : other, timeToLive: 4_500)]
    network.inject(second, from: Self.stranger, to: host)
    network.run(for: .seconds(5))
    #expect(host.sent.count == (isKnown ? 0 : 1))
    if let time = host.sent.first?.time { #expect(time - asked >= .milliseconds(400)) }
  }

  /// 7.4: somebody else gave the answer while we waited.
  @Test func anAnswerThatIsGivenIsNotRepeated() {
    let (network, host) = Self.ready()
    network.inject(Self.query(.serviceTypes, .ptr), from: Self.stranger, to: host)
    var answer = DNSMessage()
    answer.flags = [.response, .authoritative]
    answer.answers = [
      DNSRecord(
        name: .serviceTypes, data: .ptr(.bitTorrentService), timeToLive: 4_500)
    ]
    network.inject(answer, from: Self.stranger, to: host)
    network.run(for: .seconds(5))
    #expect(host.sent.isEmpty)
  }

  /// 6: no record twice a second; but a name is defended at once.
  @Test func aRecordIsMulticastOnceASecond() throws {
    let (network, host) = Self.ready()
    for _ in 0..<30 {
      network.inject(Self.query(Self.instance, .srv), from: Self.stranger, to: host)
      network.run(for: .milliseconds(100))
    }
    #expect((3...4).contains(host.sent.count))
    let times = host.sent.map(\.time)
    for (one, next) in zip(times, times.dropFirst()) { #expect(next - one >= .seconds(1)) }
    network.run(for: .milliseconds(300))
    host.sent = []
    network.run(for: .milliseconds(700))
    host.sent = []
    var probe = Self.query(Self.instance, .any)
    probe.authorities = [
      DNSRecord(
        name: Self.instance, data: .srv(DNSService(port: 1, target: .local)), timeToLive: 120)
    ]
    network.inject(probe, from: Self.stranger, to: host)
    network.run(for: .milliseconds(251))
    #expect(host.sent.count == 1)
    #expect(try host.messages().first?.message.answers.contains { $0.data.type == .srv } == true)
  }

  /// 5.4: by unicast if asked so, when everybody heard it within a quarter of its time.
  @Test func aUnicastAnswerIsGivenToOne() throws {
    let (network, host) = Self.ready(after: .seconds(10))
    let question = Self.query(Self.instance, .srv, unicast: true)
    network.inject(question, from: Self.stranger, to: host)
    #expect(host.sent.map(\.to) == [.unicast(Self.stranger, interface: host.interfaces[0].index)])
    network.run(for: .seconds(60))
    host.sent = []
    network.inject(question, from: Self.stranger, to: host)
    #expect(
      host.sent.map(\.to)
        == [.multicast(NetworkLink(interface: host.interfaces[0].index, family: .v4))])
  }

  /// 6.7: a program of plain DNS gets plain DNS.
  @Test func aLegacyQuestionIsAnsweredAsPlainDNS() throws {
    let (network, host) = Self.ready()
    let resolver = PeerEndpoint(address: Self.stranger.address, port: 40_000)
    var question = Self.query(Self.subtype, .ptr)
    question.id = 0x1234
    network.inject(question, from: resolver, to: host)
    let sent = try #require(host.sent.first)
    #expect(sent.to == .unicast(resolver, interface: host.interfaces[0].index))
    let answer = try DNSMessage(parsing: sent.bytes)
    #expect(answer.id == 0x1234 && answer.questions == question.questions)
    #expect(answer.answers.map(\.data) == [.ptr(Self.instance)] && sent.bytes.count <= 512)
    for record in answer.answers + answer.additionals {
      #expect(record.timeToLive <= 10 && !record.flushesCache && record.data.type != .nsec)
    }
  }

  /// Whoever names another as the source of questions makes us send little.
  @Test func unicastAnswersAreBounded() {
    let (network, host) = Self.ready()
    let victim = PeerEndpoint(address: Self.stranger.address, port: 53)
    for _ in 0..<500 {
      network.inject(Self.query(Self.subtype, .ptr), from: victim, to: host)
    }
    #expect(host.sent.count == MDNSLimits.unicastAnswers)
  }

  /// 6.1: what a name of ours has not is said too.
  @Test func whatIsNotThereIsDenied() throws {
    let (network, host) = Self.ready()
    network.inject(Self.query(host.mdns.hostName, .aaaa), from: Self.stranger, to: host)
    let answer = try #require(try host.messages().first?.message)
    #expect(answer.answers.map(\.data) == [.nsec(next: host.mdns.hostName, types: [.a])])
    network.inject(Self.query(.local, .a), from: Self.stranger, to: host)
    network.run(for: .seconds(5))
    #expect(host.sent.count == 1, "of another's name we know nothing")
  }

  /// 11: a unicast must come from a network of the interface; a multicast cannot come from elsewhere.
  @Test(arguments: [(nil, 0), (false, 0), (true, 1)] as [(Bool?, Int)])
  func strangersFromAfarAreIgnored(wasMulticast: Bool?, answers: Int) {
    let (network, host) = Self.ready()
    let far = PeerEndpoint(address: .v4(IPv4Address(rawValue: 0xc633_6401)), port: 5_353)
    network.inject(
      Self.query(Self.instance, .srv), from: far, to: host, wasMulticast: wasMulticast)
    #expect(host.sent.count == answers)
  }

  @Test func noiseIsCountedAndForgotten() {
    let (network, host) = Self.ready()
    network.inject([1, 2, 3], from: Self.stranger, to: host)
    #expect(host.mdns.malformedCount == 1 && host.sent.isEmpty)
    var odd = Self.query(Self.instance, .srv)
    odd.flags = DNSMessage.Flags(rawValue: 0x0800)
    network.inject(odd, from: Self.stranger, to: host)
    #expect(host.sent.isEmpty, "another operation than a query")
  }

  /// Nobody fills us with what we never asked for.
  @Test func onlyWhatIsSearchedIsKept() {
    let (network, host) = Self.ready()
    let browse = host.mdns.browse(.bitTorrent, now: network.now)
    network.run(for: .seconds(2))
    for number in 0..<2_000 {
      var message = DNSMessage()
      message.flags = [.response, .authoritative]
      let name = MDNSServiceType.bitTorrent.name.child(Array("i\(number)".utf8))!
      let alien = DomainName(
        labels: ["i\(number)", "_http", "_tcp", "local"].map { Array($0.utf8) })!
      message.answers = [
        DNSRecord(name: MDNSServiceType.bitTorrent.name, data: .ptr(name), timeToLive: .max),
        DNSRecord(name: MDNSServiceType.bitTorrent.name, data: .ptr(alien), timeToLive: .max),
        DNSRecord(name: alien, data: .txt([]), timeToLive: .max),
      ]
      network.inject(message, from: Self.stranger, to: host)
    }
    #expect(host.mdns.interfaces[0].cache.count == MDNSLimits.instancesOfName)
    host.mdns.stop(browse)
    #expect(host.mdns.interfaces[0].cache.count == 0 && host.mdns.interfaces[0].asks.isEmpty)
    host.sent = []
    network.run(for: .seconds(100))
    #expect(host.sent.isEmpty)
  }
}
