import Metainfo
import Wire

/// Makes the tokens without which nobody can announce or put, and knows its own: a keyed hash of the
/// address and the target, so that nothing is kept for each. BEP 5, BEP 44.
struct TokenMint {
  private let secret: [UInt8]
  private let start: DHTTime

  init(secret: [UInt8], now: DHTTime) {
    self.secret = secret
    start = now
  }

  /// The token that allows `address` to store under `target`.
  func token(for address: IPAddress, target: NodeID, now: DHTTime) -> [UInt8] {
    token(address, target, period: period(at: now))
  }

  /// Whether it was given to this address for this target, at most two periods ago.
  func isValid(_ token: [UInt8], for address: IPAddress, target: NodeID, now: DHTTime) -> Bool {
    let newest = period(at: now)
    return [newest, newest - 1].contains { self.token(address, target, period: $0) == token }
  }

  private func period(at now: DHTTime) -> Int64 { (now - start) / DHTLimits.tokenPeriod }

  private func token(_ address: IPAddress, _ target: NodeID, period: Int64) -> [UInt8] {
    var input = secret
    input.reserveCapacity(secret.count + 44)
    withUnsafeBytes(of: period) { input.append(contentsOf: $0) }
    input += address.compact
    input += target.bytes
    return SHA1Digest(hashing: input).withUnsafeBytes { Array($0.prefix(DHTLimits.tokenBytes)) }
  }
}
