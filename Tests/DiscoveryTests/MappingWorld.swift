import Discovery
import Metainfo
import Wire

/// A router, a host and a clock. The router answers at once what it knows, and keeps one table.
struct MappingWorld: ~Copyable {
  struct Row: Hashable {
    var internalPort: UInt16
    var lifetime: UInt32
    var service: MappingService
  }

  struct Place: Hashable {
    var transport: PortWanted.Transport
    var externalPort: UInt16
  }

  var mapper: PortMapper
  var now = Duration.seconds(1_000)
  var services: Set<MappingService> = []
  var external = ip("203.0.113.7")
  var table: [Place: Row] = [:]
  /// When the router's state began.
  var epochZero = Duration.seconds(400)
  /// What the router refuses PCP with, and for how long.
  var pcpRefusal: (PCPResult, lifetime: UInt32)?
  /// What it says to a mapping by UPnP; nil grants it.
  var upnpVerdict: @Sendable (PortRequest) -> MappingFailure? = { _ in nil }
  /// Changes each answer by PCP before it is sent; nil drops it.
  var tamper: @Sendable (PCPResponse) -> PCPResponse? = { $0 }
  var grantedPort: (@Sendable (UInt16) -> UInt16) = { $0 }
  var jobsAreHeld = false

  var jobs: [MappingJob] = []
  var held: [MappingJob] = []
  var requests: [(at: Duration, bytes: [UInt8])] = []
  var told: [[Mapping]] = []
  var stoppedAt: Duration?
  /// What was said to be left then.
  var left: [Mapping] = []

  static let gateway = Gateway(address: ip("192.168.1.1"), local: ip("192.168.1.10"), interface: 2)
  static let pcpPort = PeerEndpoint(address: gateway.address, port: 5351)

  init(_ services: Set<MappingService>, wanted: [PortWanted] = [PortWanted(.tcp, 6881)]) {
    mapper = PortMapper(wanted: wanted, seed: 7)
    self.services = services
  }

  var mappings: [Mapping] { mapper.mappings }
  var mapped: [MappedPort] {
    mappings.compactMap { if case .mapped(let port) = $0.state { port } else { nil } }
  }
  var failures: [MappingFailure] {
    mappings.compactMap { if case .failed(let failure) = $0.state { failure } else { nil } }
  }
  var epoch: UInt32 { UInt32((now - epochZero).components.seconds) }

  mutating func connect(_ gateways: [Gateway] = [gateway]) {
    mapper.gatewaysChanged(gateways, now: now)
    drain()
  }

  /// Lets so much time pass, doing what is due.
  mutating func pass(_ time: Duration) {
    let end = now + time
    var steps = 0
    while let deadline = mapper.deadline, deadline <= end, steps < 100_000 {
      steps += 1
      now = max(now, deadline)
      mapper.handleTimeout(now: now)
      drain()
    }
    precondition(steps < 100_000, "the mapper asks to be called for ever")
    now = end
  }

  mutating func stop() {
    mapper.shutDown(now: now)
    drain()
  }

  /// The router begins anew and knows nothing.
  mutating func restart() {
    table = [:]
    epochZero = now
  }

  mutating func announce() {
    deliver(PCPResponse(.announce, result: .success, lifetime: 0, epoch: epoch))
  }

  mutating func deliver(_ response: PCPResponse, from source: PeerEndpoint = pcpPort) {
    deliver(bytes: response.encoded, from: source)
  }

  mutating func deliver(bytes: [UInt8], from source: PeerEndpoint = pcpPort) {
    mapper.receive(bytes, from: source, now: now)
    drain()
  }

  mutating func release() {
    jobsAreHeld = false
    let waiting = held
    held = []
    for job in waiting { answer(job) }
    drain()
  }

  mutating func drain() {
    while let effect = mapper.nextEffect() {
      switch effect {
      case .changed(let mappings): told.append(mappings)
      case .stopped(let left):
        stoppedAt = now
        self.left = left
      case .ask(let job):
        jobs.append(job)
        if jobsAreHeld { held.append(job) } else { answer(job) }
      case .pcp(let bytes, _):
        requests.append((now, bytes))
        answer(pcp: bytes)
      }
    }
  }

  /// By hand from RFC 6887, figures 2 and 9.
  private mutating func answer(pcp bytes: [UInt8]) {
    guard services.contains(.pcp) else {
      if services.contains(.natPMP) {
        let notice = NATPMPNotice(result: 1, epoch: epoch, externalAddress: nil)
        mapper.receive(notice.encoded, from: Self.pcpPort, now: now)
      }
      return
    }
    func number(_ range: Range<Int>) -> UInt64 { bytes[range].reduce(0) { $0 << 8 | UInt64($1) } }
    let transport: PortWanted.Transport = bytes[36] == 6 ? .tcp : .udp
    let internalPort = UInt16(number(40..<42))
    let lifetime = UInt32(number(4..<8))
    var mapping = PCPMapping(
      nonce: PCPNonce(high: number(24..<32), low: UInt32(number(32..<36))), transport: bytes[36],
      internalPort: internalPort, externalPort: UInt16(number(42..<44)), externalAddress: external)
    var response = PCPResponse(.map(mapping), result: .success, lifetime: lifetime, epoch: epoch)
    if let (result, lifetime) = pcpRefusal {
      response.result = result
      response.lifetime = lifetime
    } else if lifetime == 0 {
      table = table.filter {
        $0.key.transport != transport || $0.value.internalPort != internalPort
      }
    } else {
      mapping.externalPort = grantedPort(mapping.externalPort)
      response.operation = .map(mapping)
      table[Place(transport: transport, externalPort: mapping.externalPort)] = Row(
        internalPort: internalPort, lifetime: lifetime, service: .pcp)
    }
    guard let sent = tamper(response) else { return }
    mapper.receive(sent.encoded, from: Self.pcpPort, now: now)
  }

  private mutating func answer(_ job: MappingJob) {
    guard services.contains(job.service) else {
      return mapper.completed(job.id, .failure(.noAnswer), now: now)
    }
    var answer = MappingAnswer(
      externalAddress: external, epoch: job.service == .natPMP ? epoch : nil)
    switch job.work {
    case .probe: break
    case .map(let requests):
      answer.ports = requests.map { request in
        if job.service == .upnp, let failure = upnpVerdict(request) { return .refused(failure) }
        let port = grantedPort(request.externalPort)
        table[Place(transport: request.wanted.transport, externalPort: port)] = Row(
          internalPort: request.wanted.port, lifetime: request.lifetime, service: job.service)
        let lifetime = request.lifetime == 0 ? nil : request.lifetime
        return .granted(externalPort: port, lifetime: lifetime)
      }
    case .unmap(let requests):
      for request in requests {
        table[Place(transport: request.wanted.transport, externalPort: request.externalPort)] = nil
      }
    }
    mapper.completed(job.id, .success(answer), now: now)
  }
}

func ip(_ text: String) -> IPAddress {
  IPv4Address(text.utf8).map { .v4($0) } ?? IPv6Address(text.utf8).map { .v6($0) }
    ?? .v4(IPv4Address(rawValue: 0))
}
