import Discovery
import Metainfo
import Wire

/// A message that is read and written again is the same, and what goes wrong is told.
func fuzzDNS(_ bytes: UnsafeRawBufferPointer) {
  let input = Array(bytes)
  do {
    let message = try DNSMessage(parsing: input)
    for name in (message.answers.map(\.name) + message.questions.map(\.name)) {
      demand(name.wire.count <= 255 && DomainName(labels: name.labels) == name)
      demand(!name.description.isEmpty)
    }
    guard let written = message.encoded() else { return }
    let again = try DNSMessage(parsing: written)
    demand(again == message, "\(message) reads as \(again)")
  } catch {
    demand((0...input.count).contains(error.offset) && !error.description.isEmpty)
  }
  do {
    let announcement = try LocalAnnouncement(parsing: input)
    demand(announcement.port > 0 && !announcement.infohashes.isEmpty)
    let again = try LocalAnnouncement(parsing: announcement.encoded(to: .v6))
    demand(again.infohashes == announcement.infohashes && again.port == announcement.port)
  } catch {
    demand((0...input.count).contains(error.offset) && !error.description.isEmpty)
  }
}

/// Steps of all that can happen to a responder: packets made of names that matter to it and of anything,
/// time, interfaces, services, searches. It says what can be read, not too much and not too often, and
/// goes on.
func fuzzMDNS(_ bytes: UnsafeRawBufferPointer) {
  var reader = FuzzReader(bytes)
  var game = MDNSGame(&reader)
  var steps = 0
  while !reader.isAtEnd, steps < 256 {
    game.step(&reader)
    steps += 1
  }
  game.end()
}

private struct MDNSGame: ~Copyable {
  private var mdns: MDNS
  private var now = Duration.seconds(100)
  private var services: [MDNSServiceID] = []
  private var browses: [MDNSBrowseID] = []
  /// Multicasts of each link since a moment.
  private var sent: [NetworkLink: Int] = [:]
  private var since = Duration.seconds(100)

  init(_ reader: inout FuzzReader) {
    mdns = MDNS(
      configuration: MDNSConfiguration(hostName: [UInt8(ascii: "h")]),
      seed: UInt64(reader.byte()), now: now)
    setInterfaces(3)
  }

  mutating func step(_ reader: inout FuzzReader) {
    switch reader.byte() % 9 {
    case 0: pass(.milliseconds(Int(reader.byte()) * 4))
    case 1: pass(.seconds(Int(reader.byte())))
    case 2, 3, 4: receive(message(&reader), &reader)
    case 5:
      let count = Int(reader.byte())
      receive((0..<count).map { _ in reader.byte() }, &reader)
    case 6: setInterfaces(reader.byte())
    case 7: offer(&reader)
    default: search(&reader)
    }
    drain()
  }

  private mutating func setInterfaces(_ bits: UInt8) {
    var interfaces: [NetworkInterface] = []
    for number in UInt32(0)..<3 where bits >> UInt8(number) & 1 == 1 {
      let v4 = IPv4Address(rawValue: 0x0a00_0001 + number << 8)
      let v6 = IPv6Address(high: 0xfe80 << 48, low: UInt64(number + 1))
      var addresses = [NetworkInterface.Address(.v4(v4), prefixLength: 24)]
      if bits & 0x40 == 0 { addresses.append(.init(.v6(v6), prefixLength: 64)) }
      interfaces.append(
        NetworkInterface(index: number + 1, name: "e\(number)", addresses: addresses))
    }
    mdns.setInterfaces(interfaces, now: now)
  }

  private func service(_ reader: inout FuzzReader) -> MDNSService {
    let number = reader.byte()
    let infohashes = (0..<(number % 8)).map { SHA1Digest(hashing: [$0]) }
    return MDNSService(
      type: MDNSServiceType.bitTorrent.name, instance: [UInt8(ascii: "x") + number % 2],
      subtypes: Set(infohashes.map(MDNSServiceType.subtype(of:))), port: UInt16(number),
      txt: [[number]])
  }

  private mutating func offer(_ reader: inout FuzzReader) {
    let choice = reader.byte()
    if services.count < 3 {
      services.append(mdns.publish(service(&reader), now: now))
    } else if choice < 128 {
      mdns.update(services[Int(choice) % 3], service(&reader), now: now)
    } else {
      mdns.withdraw(services.remove(at: Int(choice) % 3), now: now)
    }
  }

  private mutating func search(_ reader: inout FuzzReader) {
    let choice = reader.byte()
    if browses.count < 4 {
      let subtype = MDNSServiceType.bitTorrent(SHA1Digest(hashing: [choice % 4]))
      browses.append(mdns.browse(choice < 128 ? .bitTorrent : subtype, now: now))
    } else {
      mdns.stop(browses.remove(at: Int(choice) % 4))
    }
  }

  private mutating func receive(_ bytes: [UInt8], _ reader: inout FuzzReader) {
    let choice = reader.byte()
    let interface = UInt32(choice & 3)
    let host = UInt32(choice >> 4)
    let v4 = IPv4Address(rawValue: 0x0a00_0000 + interface << 8 + host)
    let v6 = IPv6Address(high: 0xfe80 << 48, low: UInt64(host))
    let address: IPAddress = choice & 4 == 0 ? .v4(v4) : .v6(v6)
    let from = PeerEndpoint(address: address, port: choice & 8 == 0 ? 5_353 : 7_777)
    mdns.receive(bytes, from: from, on: interface, wasMulticast: choice & 16 == 0, now: now)
  }

  private static let names: [DomainName] = [
    ["h"], ["h-2"], ["x", "_bittorrent", "_tcp"], ["y", "_bittorrent", "_tcp"],
    ["_bittorrent", "_tcp"], ["_services", "_dns-sd", "_udp"], ["o", "_bittorrent", "_tcp"], ["o"],
    ["_" + SHA1Digest(hashing: [1]).hex, "_sub", "_bittorrent", "_tcp"],
  ].compactMap { labels in DomainName(labels: (labels + ["local"]).map { Array($0.utf8) }) }

  private func message(_ reader: inout FuzzReader) -> [UInt8] {
    func name() -> DomainName { Self.names[Int(reader.byte()) % Self.names.count] }
    func record() -> DNSRecord {
      let choice = reader.byte()
      let data: DNSData =
        switch choice % 6 {
        case 0: .a(IPv4Address(rawValue: 0x0a00_0001 + UInt32(reader.byte())))
        case 1: .ptr(name())
        case 2: .srv(DNSService(port: UInt16(reader.byte()), target: name()))
        case 3: .txt([[reader.byte()]])
        case 4: .nsec(next: name(), types: [.a])
        default: .aaaa(IPv6Address(high: 0xfe80 << 48, low: UInt64(reader.byte())))
        }
      let times: [UInt32] = [0, 1, 120, 4_500, .max]
      return DNSRecord(
        name: name(), data: data, timeToLive: times[Int(reader.byte()) % 5],
        flushesCache: choice >= 128)
    }
    let shape = reader.byte()
    var message = DNSMessage()
    message.flags = shape & 1 == 0 ? [] : .response
    if shape & 2 != 0 { message.flags.insert(.truncated) }
    let types: [DNSType] = [.any, .ptr, .srv, .a, .aaaa, .nsec]
    for _ in 0..<(shape >> 2 & 3) {
      let type = types[Int(reader.byte()) % types.count]
      message.questions.append(
        DNSQuestion(name: name(), type: type, wantsUnicast: shape & 128 != 0))
    }
    for _ in 0..<(shape >> 4 & 3) { message.answers.append(record()) }
    if shape & 64 != 0 { message.authorities.append(record()) }
    return message.encoded() ?? []
  }

  private mutating func pass(_ time: Duration) {
    let end = now + time
    var turns = 0
    while let deadline = mdns.deadline, deadline <= end {
      now = max(now, deadline)
      mdns.handleTimeout(now: now)
      drain()
      turns += 1
      demand(turns < 20_000, "a timer that is always due")
    }
    now = end
  }

  private mutating func drain() {
    if now - since > .seconds(10) {
      since = now
      sent = [:]
    }
    while let effect = mdns.nextEffect() {
      guard case .send(let bytes, let destination) = effect else { continue }
      demand(bytes.count <= 1_452)
      do {
        let message = try DNSMessage(parsing: bytes)
        demand(message.flags.contains(.response) || message.flags.isDisjoint(with: .authoritative))
      } catch {
        demand(false, "\(error)")
      }
      guard case .multicast(let link) = destination else { continue }
      sent[link, default: 0] += 1
      demand(sent[link, default: 0] < 1_000, "a flood")
    }
  }

  mutating func end() {
    mdns.shutDown(now: now)
    drain()
    pass(.seconds(60))
    demand(mdns.hasEnded && mdns.deadline == nil)
  }
}
