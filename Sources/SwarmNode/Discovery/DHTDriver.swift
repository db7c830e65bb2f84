import Discovery
import Glibc
import Metainfo
import Wire

/// A node of the DHT on the loop: sockets, timer and file for `DHT`. Stays on its loop's thread.
public final class DHTDriver {
  /// What comes of a lookup: all effects but those that are this driver's.
  public var onEffect: (DHTEffect) -> Void = { _ in }

  private var dht: DHT
  private let lookups: NameLookups
  private let log: Log
  private let file: [UInt8]?
  private let bootstrap: [PeerAddress]
  /// Held by the one process that keeps what it knows in the file, and whose id is the one there: two nodes
  /// with one id would each get the answers to the other's questions.
  private var claim: FileLock?
  private var sockets: [DatagramSocket] = []
  /// Whether datagrams go to this machine itself: not where all the world says who is a node, since
  /// anybody could have us talk to the programs of this machine then.
  private let reachesLoopback: Bool
  private var timer: DeadlineTimer?
  private var saving: EventTimer?
  private var retrying: EventTimer?
  private var isDraining = false
  private var isClosed = false

  /// How often what is known of the DHT is kept: a crash then costs little.
  private static let saveMilliseconds: UInt64 = 600_000
  /// How often names of nodes are looked up again while none is known that answers.
  private static let retryMilliseconds: UInt64 = 60_000
  /// Bytes of the file: 400 nodes of each family, and room for keys to come.
  private static let fileBytes = 1 << 17
  /// Bytes of a datagram: what fits a packet of any link is answered, what is longer is none of ours.
  private static let datagramBytes = 4_096

  /// Begins at once, at the UDP ports of the same numbers as the TCP ports in `places`. Where none of
  /// them can be had, which the log tells, it does nothing: `fault` says why.
  public init(
    on loop: EventLoop, places: [PeerEndpoint], configuration: DHTConfiguration,
    bootstrap: [PeerAddress], file: [UInt8]?, seed: UInt64, log: Log
  ) {
    lookups = NameLookups(on: loop)
    self.log = log
    self.file = file
    self.bootstrap = bootstrap
    claim = file.flatMap(Self.claim)
    var configuration = configuration
    configuration.families = []
    for place in places {
      if case .v4 = place.address { configuration.families.insert(.v4) }
      if case .v6 = place.address { configuration.families.insert(.v6) }
    }
    configuration.secret = (0..<16).map { _ in UInt8.random(in: 0...255) }
    // Addresses of the Internet are what others see, too. BEP 42.
    configuration.knownAddresses += places.map(\.address).filter {
      !$0.isOfASite && !$0.isEverywhere
    }
    reachesLoopback =
      !configuration.enforcesNodeIDs || places.allSatisfy { $0.address.isLoopback }
      || bootstrap.contains { $0.host.isLoopback }
    var saved = Self.saved(in: file, log: log)
    if claim == nil {
      saved?.id = nil
      saved?.id6 = nil
    }
    dht = DHT(configuration: configuration, saved: saved, seed: seed, now: Self.now)
    for place in places {
      let opened = DatagramSocket.open(place, on: loop, datagramBytes: Self.datagramBytes) {
        [unowned self] packet in
        dht.receive(packet.bytes, from: packet.source, now: Self.now)
        drain()
      }
      switch opened {
      case .success(let socket): sockets.append(socket)
      case .failure(let error):
        fault = "the UDP port \(place) cannot be had: \(error)"
        log(.warning, "no DHT there: \(fault ?? "")")
      }
    }
    if sockets.isEmpty {
      isClosed = true
      claim = nil
      return
    }
    // A family whose port another program has is as if it were not there: nobody is asked in vain.
    let families = sockets.reduce(into: NodeFamilies()) {
      $0.insert($1.endpoint.address.isV4 ? .v4 : .v6)
    }
    if families != configuration.families {
      configuration.families = families
      dht = DHT(configuration: configuration, saved: saved, seed: seed, now: Self.now)
    }
    timer = DeadlineTimer(on: loop) { [unowned self] in
      dht.handleTimeout(now: Self.now)
      drain()
    }
    saving = EventTimer(on: loop, everyMilliseconds: Self.saveMilliseconds) { [unowned self] in
      save()
    }
    retrying = EventTimer(on: loop, everyMilliseconds: Self.retryMilliseconds) { [unowned self] in
      if hasGoodNodes { return }
      for node in bootstrap { if case .name = node.host { look(for: node) } }
    }
    for node in bootstrap { look(for: node) }
    drain()
  }

  /// Its UDP port; nil where it has none, and does nothing.
  public var port: UInt16? { sockets.first?.endpoint.port }

  /// Why it has no port, or lacks one of its families; nil when all is well.
  private(set) var fault: String?

  /// How it is doing.
  public var status: DHTStatus { dht.status }

  private var hasGoodNodes: Bool {
    let status = dht.status
    return [status.v4, status.v6].contains { $0?.goodNodes ?? 0 > 0 }
  }

  /// Our addresses as the others see them, as far as they are known.
  var externalAddresses: [IPAddress] {
    let status = dht.status
    return [status.v4, status.v6].compactMap { $0?.externalAddress }
  }

  /// The machine has other addresses now: those are asked again whom anybody may ask.
  func networkChanged() {
    guard !isClosed else { return }
    for node in bootstrap { look(for: node) }
  }

  /// Calls the state machine, and carries out what it wants.
  public func with(_ body: (inout DHT, Duration) -> Void) {
    guard !isClosed else { return }
    body(&dht, Self.now)
    drain()
  }

  /// Begins a lookup. Nothing is told of it before `drain` is called, which must follow.
  public func begin(_ body: (inout DHT, Duration) -> DHTLookupID) -> DHTLookupID {
    body(&dht, Self.now)
  }

  /// Keeps what is known for the next run, and ends.
  public func close() {
    guard !isClosed else { return }
    isClosed = true
    lookups.close()
    save()
    for socket in sockets { socket.close() }
    timer?.close()
    saving?.cancel()
    retrying?.cancel()
    (timer, saving, retrying) = (nil, nil, nil)
    claim = nil
  }

  private func look(for node: PeerAddress) {
    func add(_ addresses: [IPAddress]) {
      let nodes = addresses.map { PeerEndpoint(address: $0, port: node.port) }
      with { $0.addNodes(nodes, now: $1) }
    }
    switch node.host {
    case .ipv4(let address): add([.v4(address)])
    case .ipv6(let address): add([.v6(address)])
    case .name(let name):
      lookups.start(name) { [unowned self] result in
        switch result {
        case .success(let addresses): add(addresses)
        case .failure(let error): log(.debug, "cannot find the DHT's node \(node): \(error)")
        }
      }
    }
  }

  /// Carries out what the state machine wants.
  public func drain() {
    // An effect may call the user, who may call us.
    guard !isDraining, !isClosed else { return }
    isDraining = true
    while !isClosed, let effect = dht.nextEffect() {
      if case .send(let bytes, let place) = effect {
        if place.address.isLoopback, !reachesLoopback { continue }
        let socket = sockets.first { $0.endpoint.address.isV4 == place.address.isV4 }
        _ = socket?.send(bytes, to: place)
      } else {
        onEffect(effect)
      }
    }
    isDraining = false
    guard let deadline = dht.deadline, let timer else { return }
    let (seconds, attoseconds) = max(deadline - Self.now, .zero).components
    timer.set(
      milliseconds: UInt64(seconds) * 1_000 + UInt64(attoseconds / 1_000_000_000_000_000) + 1)
  }

  // MARK: The file

  /// nil where another process has it, or it cannot be had.
  private static func claim(on file: [UInt8]) -> FileLock? {
    try? FileLock(file + Array(".lock".utf8), waits: false)
  }

  private static func saved(in file: [UInt8]?, log: Log) -> DHTState? {
    guard let file else { return nil }
    let bytes: [UInt8]
    do throws(SystemError) {
      bytes = try WholeFile.read(file, limit: fileBytes)
    } catch {
      // In the first run there is none.
      if error.number != ENOENT {
        log(.warning, "what was known of the DHT cannot be used: \(error): it begins anew")
      }
      return nil
    }
    do {
      return try DHTState(decoding: bytes)
    } catch {
      log(
        .warning,
        "\(printable(file)) is not what a node of the DHT writes (\(error)): it begins anew")
      return nil
    }
  }

  private func save() {
    guard let file else { return }
    // Whoever had it may have ended since.
    if claim == nil { claim = Self.claim(on: file) }
    if claim == nil { return }
    let state = dht.state
    // One that found nobody does not make forgotten what an earlier run knew.
    if state.nodes.isEmpty { return }
    do {
      try WholeFile.write(state.encoded, to: file)
    } catch {
      log(.warning, "what is known of the DHT cannot be kept: \(error)")
    }
  }

  /// Time that goes on while the machine sleeps: nodes and items grow old meanwhile.
  private static var now: Duration {
    var time = timespec()
    clock_gettime(CLOCK_BOOTTIME, &time)
    return .seconds(Int64(time.tv_sec)) + .nanoseconds(Int64(time.tv_nsec))
  }
}

extension IPAddress {
  fileprivate var isV4: Bool { if case .v4 = self { true } else { false } }

  /// Whether it stands for all addresses of its family.
  var isEverywhere: Bool { compact.allSatisfy { $0 == 0 } }

  /// Whether only this machine reaches it.
  var isLoopback: Bool {
    switch self {
    case .v4(let address): address.rawValue >> 24 == 127
    case .v6(let address): address.high == 0 && address.low == 1
    }
  }
}

extension PeerAddress.Host {
  /// Whether it is a number of this machine itself.
  fileprivate var isLoopback: Bool {
    switch self {
    case .ipv4(let address): IPAddress.v4(address).isLoopback
    case .ipv6(let address): IPAddress.v6(address).isLoopback
    case .name: false
    }
  }
}
