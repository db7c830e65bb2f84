import Metainfo
import Wire

/// On which interface link-local addresses are (fe80::/10), as the network itself has shown: an endpoint
/// does not say, and two interfaces may have the same address in theory only. The newest word counts.
struct LinkScopes {
  private var interfaces: [IPAddress: UInt32] = [:]
  private var order: [IPAddress] = []

  init() {}

  /// The interface of an address; nil when nobody has said.
  subscript(_ address: IPAddress) -> UInt32? { interfaces[address] }

  /// The address was met on that interface. The oldest is forgotten when there are too many.
  mutating func met(_ address: IPAddress, on interface: UInt32) {
    guard interface != 0 else { return }
    if interfaces.updateValue(interface, forKey: address) != nil { return }
    order.append(address)
    if order.count > NetLimits.linkScopes { interfaces[order.removeFirst()] = nil }
  }
}
