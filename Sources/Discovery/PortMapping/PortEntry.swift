import Wire

/// One wanted port at one gateway.
struct PortEntry: Sendable {
  /// What a router has granted.
  struct Lease: Sendable {
    var externalPort: UInt16
    /// Seconds; nil for a mapping that lasts until it is removed.
    var lifetime: UInt32?
    var granted: Duration
    /// Attempts to renew it so far.
    var renewals = 0
    var renewAt: Duration

    /// When it ends by itself.
    var expires: Duration? { lifetime.map { granted + .seconds(Int64($0)) } }
  }

  enum State: Sendable {
    /// Nothing is known, or an answer is awaited.
    case asking
    case leased(Lease)
    /// Refused; asked again at `retry`.
    case refused(MappingFailure, retry: Duration)
  }

  let wanted: PortWanted
  /// The same for all that is asked by PCP about this port.
  let nonce: PCPNonce
  var state = State.asking
  /// The external port to ask for: this host's, then what was granted last.
  var wish: UInt16
  /// A PCP request that has no answer yet.
  var pending: Resend?
  /// The router knows no leases that end (UPnP error 725).
  var isPermanentOnly = false
  /// External ports that belong to others already (UPnP error 718).
  var conflicts = 0
  /// The next pause after a refusal.
  var pause = MappingLimits.firstPause

  init(_ wanted: PortWanted, random: inout MappingRandom) {
    self.wanted = wanted
    nonce = PCPNonce(high: random.next(), low: UInt32(truncatingIfNeeded: random.next()))
    wish = wanted.port
  }

  var lease: Lease? {
    if case .leased(let lease) = state { lease } else { nil }
  }

  var refusal: MappingFailure? {
    if case .refused(let failure, _) = state { failure } else { nil }
  }

  /// What a job asks about it.
  var request: PortRequest {
    PortRequest(
      wanted: wanted, externalPort: wish, lifetime: isPermanentOnly ? 0 : MappingLimits.lease,
      takesAnyPort: conflicts > 0)
  }

  /// Takes a grant. External port 0 is a refusal: nobody could connect to it.
  mutating func grant(
    externalPort: UInt16, lifetime: UInt32?, now: Duration, random: inout MappingRandom
  ) {
    pending = nil
    guard externalPort != 0, lifetime != 0 else {
      let what = externalPort == 0 ? "external port 0" : "a lease of 0 seconds"
      return refuse(.nonsense(what), for: nil, now: now)
    }
    let lifetime = lifetime.map {
      min(max($0, MappingLimits.leastLease), MappingLimits.longestLease)
    }
    var lease = Lease(
      externalPort: externalPort, lifetime: lifetime, granted: now, renewAt: now)
    lease.planRenewal(after: now, random: &random)
    state = .leased(lease)
    wish = externalPort
    pause = MappingLimits.firstPause
  }

  /// Takes a refusal that the router says lasts so many seconds.
  mutating func refuse(_ failure: MappingFailure, for seconds: UInt32?, now: Duration) {
    pending = nil
    let least = Duration.seconds(Int64(min(seconds ?? 0, MappingLimits.longestRefusal)))
    state = .refused(failure, retry: now + max(pause, least))
    pause = min(pause * 2, MappingLimits.longestPause)
  }

  /// What to make of a refusal by UPnP; whether it can be asked again at once, in another way.
  mutating func canAskOtherwise(after code: Int, random: inout MappingRandom) -> Bool {
    switch code {
    // Some routers call a lease that ends an invalid argument, or just fail.
    case 725, 402, 501:
      if isPermanentOnly { return false }
      isPermanentOnly = true
      return true
    case 718, 729:
      guard conflicts < MappingLimits.portsTried else { return false }
      conflicts += 1
      wish = UInt16.random(in: 10_000..<60_000, using: &random)
      return true
    case 724 where wish != wanted.port:
      wish = wanted.port
      return true
    default: return false
    }
  }
}

extension PortEntry.Lease {
  /// The next attempt: between 1/2 and 5/8 of the lifetime, then between 3/4 and 13/16, and so on.
  /// RFC 6887, section 11.2.1. What never ends is only looked after by checks.
  mutating func planRenewal(after now: Duration, random: inout MappingRandom) {
    guard let lifetime else {
      renewAt = .seconds(Int64.max / 2)
      return
    }
    renewals += 1
    var left = Duration.seconds(Int64(lifetime))
    for _ in 0..<min(renewals, 20) { left = left / 2 }
    let early = Duration.seconds(Int64(lifetime)) - left
    let planned = granted + early + left * (random.fraction() / 4)
    renewAt = max(planned, now + MappingLimits.leastRenewal)
  }
}

/// When an unanswered PCP request is sent again. RFC 6887, section 8.1.1.
struct Resend: Sendable {
  private(set) var at: Duration
  private(set) var sendings = 1
  private var timeout: Duration

  /// It has just been sent for the first time.
  init(now: Duration, random: inout MappingRandom) {
    timeout = MappingLimits.firstResend * Self.spread(&random)
    at = now + timeout
  }

  /// It has just been sent again.
  mutating func sentAgain(now: Duration, random: inout MappingRandom) {
    sendings += 1
    timeout = min(timeout * 2, MappingLimits.longestResend) * Self.spread(&random)
    at = now + timeout
  }

  /// 1 + RAND, with RAND from -0.1 to 0.1.
  private static func spread(_ random: inout MappingRandom) -> Double {
    0.9 + 0.2 * random.fraction()
  }
}
