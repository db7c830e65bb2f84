import CUV
import Discovery
import Glibc
import Wire

/// Keeps ports of this host mapped in its routers: carries out what `PortMapper` decides.
///
/// Stays on the loop's thread. Keeps the loop running until `stop` has completed.
public final class PortMappingDriver {
  private let loop: EventLoop
  private let log: Log
  private let onChange: ([Mapping]) -> Void
  private var mapper: PortMapper
  private let thread: SideThread
  private var timer: DeadlineTimer?
  private var watch: GatewayWatch?
  private var gateways: [(gateway: Gateway, socket: PCPSocket)] = []
  private var announcements: [PCPSocket] = []
  private var upnp: UPnPPlace?
  private var guardian: UPnPGuard?
  private var onStopped: (() -> Void)?
  private var isStopped = false
  private var isDraining = false

  /// Begins to map. `onChange` is called on the loop, never from here, whenever how it stands has
  /// changed.
  public convenience init(
    on loop: EventLoop, wanted: [PortWanted], log: Log,
    seed: UInt64 = .random(in: 0 ... .max), onChange: @escaping ([Mapping]) -> Void
  ) {
    self.init(
      on: loop, network: NetworkWatch(on: loop), wanted: wanted, log: log, seed: seed,
      onChange: onChange)
  }

  /// With a watch that others listen to as well.
  init(
    on loop: EventLoop, network: NetworkWatch?, wanted: [PortWanted], log: Log, seed: UInt64,
    onChange: @escaping ([Mapping]) -> Void
  ) {
    self.loop = loop
    self.log = log
    self.onChange = onChange
    mapper = PortMapper(wanted: wanted, seed: seed)
    thread = SideThread(on: loop)
    timer = DeadlineTimer(on: loop) { [unowned self] in
      mapper.handleTimeout(now: Self.now)
      drain()
    }
    watch = GatewayWatch(on: loop, network: network) { [unowned self] in take($0) }
    announcements = [AF_INET, AF_INET6].compactMap { family in
      PCPSocket(announcementsOf: family, on: loop) { [unowned self] in receive($0, from: $1) }
    }
  }

  /// How it stands now.
  public var mappings: [Mapping] { mapper.mappings }

  /// Removes what was mapped and ends; `completion` is called at once where nothing was, else by the
  /// loop, within two seconds whatever routers do. Must be called before the driver is dropped.
  public func stop(completion: @escaping () -> Void) {
    guard onStopped == nil, !isStopped else { return }
    onStopped = completion
    mapper.shutDown(now: Self.now)
    drain()
  }

  /// Time that goes on while the machine sleeps: routers' leases do, too.
  private static var now: Duration {
    var time = timespec()
    clock_gettime(CLOCK_BOOTTIME, &time)
    return .seconds(Int64(time.tv_sec)) + .nanoseconds(Int64(time.tv_nsec))
  }

  private func take(_ present: [Gateway]) {
    guard onStopped == nil, !isStopped else { return }
    for (_, socket) in gateways.filter({ !present.contains($0.gateway) }) { socket.close() }
    gateways.removeAll { !present.contains($0.gateway) }
    for gateway in present where !gateways.contains(where: { $0.gateway == gateway }) {
      let socket = PCPSocket(
        on: loop, to: gateway,
        onRefused: { [unowned self] in
          guard !isStopped else { return }
          mapper.refused(by: gateway, now: Self.now)
          drain()
        },
        onDatagram: { [unowned self] in receive($0, from: $1) })
      guard let socket else {
        log(.warning, "cannot open a socket to the router \(gateway.address): no PCP there")
        continue
      }
      gateways.append((gateway, socket))
    }
    mapper.gatewaysChanged(present, now: Self.now)
    drain()
  }

  private func receive(_ datagram: [UInt8], from source: PeerEndpoint) {
    guard !isStopped else { return }
    mapper.receive(datagram, from: source, now: Self.now)
    drain()
  }

  private func drain() {
    // An effect may call the user, who may stop us.
    guard !isDraining else { return }
    isDraining = true
    while !isStopped, let effect = mapper.nextEffect() {
      switch effect {
      case .pcp(let datagram, let gateway):
        gateways.first { $0.gateway == gateway }?.socket.send(datagram)
      case .ask(let job): perform(job)
      case .changed(let mappings):
        for mapping in mappings { log(.debug, "port mapping: \(mapping)") }
        onChange(mappings)
      case .stopped(let left):
        for mapping in left { log(.warning, Self.text(ofLeft: mapping)) }
        close()
      }
    }
    isDraining = false
    if let deadline = mapper.deadline {
      let wait = (deadline - Self.now).components
      let milliseconds =
        wait.seconds > Int64(MappingDriverLimits.longestWait / 1_000)
        ? MappingDriverLimits.longestWait
        : UInt64(max(0, wait.seconds * 1_000 + wait.attoseconds / 1_000_000_000_000_000 + 1))
      timer?.set(milliseconds: milliseconds)
    } else {
      timer?.clear()
    }
  }

  /// What is told of a mapping of which the router did not say in time that it is removed.
  static func text(ofLeft mapping: Mapping) -> String {
    var end = "until somebody removes it there"
    if case .mapped(let port) = mapping.state, let seconds = port.lifetime {
      end = "until its lease ends, in \(seconds) s"
    }
    let router = mapping.gateway.map { " \($0)" } ?? ""
    return "the router\(router) did not say in time that a port is closed again (\(mapping)): "
      + "it may stay open \(end)"
  }

  private func perform(_ job: MappingJob) {
    switch job.service {
    case .pcp: mapper.completed(job.id, .failure(.notOffered(.pcp)), now: Self.now)
    case .natPMP:
      thread.perform({ NATPMPJob.run(job) }, completion: { [unowned self] in ended(job, $0) })
    case .upnp: performUPnP(job)
    }
  }

  /// The guard begins with the work, which may have to wait for work before it.
  private func performUPnP(_ job: MappingJob) {
    thread.perform(
      {},
      completion: { [unowned self] in
        guardian = UPnPGuard(on: loop, router: job.gateway.address)
      })
    let place = upnp
    thread.perform(
      {
        var place = place
        let result = UPnPJob.run(job, &place)
        return (result, place)
      },
      completion: { [unowned self] (outcome: (Result<MappingAnswer, MappingFailure>, UPnPPlace?)) in
        let (result, place) = outcome
        upnp = place
        let wasCut = guardian?.hasCut ?? false
        guardian?.close()
        guardian = nil
        if wasCut, case .failure = result { return ended(job, .failure(.cutOff)) }
        ended(job, result)
      })
  }

  private func ended(_ job: MappingJob, _ result: Result<MappingAnswer, MappingFailure>) {
    guard !isStopped else { return }
    if case .failure(let failure) = result {
      log(.debug, "port mapping by \(job.service) at \(job.gateway.address): \(failure)")
    }
    mapper.completed(job.id, result, now: Self.now)
    drain()
  }

  private func close() {
    isStopped = true
    thread.close()
    guardian?.close()
    timer?.close()
    watch?.close()
    for socket in announcements + gateways.map(\.socket) { socket.close() }
    gateways = []
    announcements = []
    timer = nil
    watch = nil
    guardian = nil
    let completion = onStopped
    onStopped = nil
    completion?()
  }
}
