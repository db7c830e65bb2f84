/// Tells from a router's count of seconds whether it lost its state. RFC 6887, section 8.5; the
/// rule of NAT-PMP (RFC 6886, section 3.6) allows the same clocks and is not kept apart.
struct EpochWatch: Sendable {
  private var last: (router: Int64, host: Duration)?

  /// Notes the router's count. False when it does not fit what it said before.
  mutating func note(_ epoch: UInt32, now: Duration) -> Bool {
    let router = Int64(epoch)
    defer { last = (router, now) }
    guard let last else { return true }
    // One second back may be two datagrams that overtook each other.
    if router + 1 < last.router { return false }
    let passedThere = router - last.router
    let passedHere = (now - last.host).components.seconds
    return passedHere + 2 >= passedThere - passedThere / 16
      && passedThere + 2 >= passedHere - passedHere / 16
  }
}
