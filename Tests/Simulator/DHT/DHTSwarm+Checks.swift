import Discovery
import Metainfo
import Wire

/// What must hold at every step, and of every node now and then.
extension DHTSwarm {
  /// Bytes of the longest datagram that a node may send: a frame of Ethernet, without headers.
  private static let longestDatagram = 1_472

  /// An honest node is about to say something.
  func said(_ host: DHTHost, _ bytes: [UInt8]) {
    if bytes.count > Self.longestDatagram {
      world.fail("host \(host.number) sends a datagram of \(bytes.count) bytes")
    }
    // Only answers with values are looked into, which have a signature.
    guard bytes.count > 150, bytes.hasSignature, let message = try? KRPCMessage(bytes),
      case .response(let response) = message.body, let key = response.key,
      let number = response.sequence,
      let dataset = datasets.first(where: { $0.key == key })
    else { return }
    guard let item = dataset.item(number), item.value == response.value,
      item.signature == response.signature
    else {
      return world.fail("host \(host.number) answers with a head that nobody has published")
    }
    if number < host.answered[dataset.number] ?? 0, !host.hasJumped {
      world.fail(
        "host \(host.number) answers with head \(number), and had "
          + "\(host.answered[dataset.number] ?? 0)")
    }
    host.answered[dataset.number] = number
  }

  /// Tables and stores are within their bounds.
  func inspect() {
    let storage = DHTConfiguration.Storage()
    // Buckets of eight, as many as a network of this size divides into and some that chance makes.
    let buckets = Int.bitWidth - count.leadingZeroBitCount + 8
    for host in world.hosts where host.isUp && host.isHonest {
      let status = host.dht.status
      guard let table = status.v4 else {
        world.fail("host \(host.number) has no table")
        continue
      }
      let nodes = table.goodNodes + table.questionableNodes
      if nodes > 8 * buckets || table.spareNodes > 4 * buckets {
        world.fail("host \(host.number) has \(nodes) nodes and \(table.spareNodes) that wait")
      }
      if status.items > storage.items || status.peers > storage.peers
        || status.torrents > storage.torrents
      {
        world.fail("host \(host.number) keeps too much: \(status)")
      }
      for (_, errand) in host.errands where world.now - errand.began > Self.lookupTime {
        world.fail("host \(host.number) does not end its \(errand.kind) \(errand.subject)")
      }
    }
  }
}

extension [UInt8] {
  /// Whether "3:sig" stands in it.
  fileprivate var hasSignature: Bool {
    withUnsafeBufferPointer { bytes in
      var index = 0
      while index + 5 <= bytes.count {
        if bytes[index + 1] == UInt8(ascii: ":"), bytes[index] == UInt8(ascii: "3"),
          bytes[index + 2] == UInt8(ascii: "s"), bytes[index + 3] == UInt8(ascii: "i"),
          bytes[index + 4] == UInt8(ascii: "g")
        {
          return true
        }
        index += 1
      }
      return false
    }
  }
}
