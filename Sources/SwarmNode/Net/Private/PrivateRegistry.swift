import Glibc
import Metainfo
import Swarm
import Wire

/// The read keys of a node's private torrents, each as long as a torrent of it is there.
struct PrivateRegistry {
  private struct Entry {
    let keys: PrivateKeys
    var torrents: Int
  }

  private var entries: [PrivateGroup: Entry] = [:]
  /// In the order in which `responder` has the keys.
  private var order: [PrivateGroup] = []
  /// Tries all keys on what comes in.
  private(set) var responder = PrivateResponder([])

  /// How many keys there are.
  var count: Int { order.count }

  /// What follows from the group's read key; nil where no torrent of it is there.
  subscript(group: PrivateGroup) -> PrivateKeys? { entries[group]?.keys }

  /// The group of a message that was opened.
  func group(of opened: PrivateResponder.Opened) -> PrivateGroup { order[opened.keyIndex] }

  /// One torrent more has this read key. The core has seen to it that there are not too many.
  mutating func add(_ readKey: ReadKey) -> PrivateGroup {
    let keys = PrivateKeys(readKey)
    let group = PrivateGroup(discoveryID: keys.discoveryID)
    if entries[group] == nil {
      entries[group] = Entry(keys: keys, torrents: 1)
      refresh()
    } else {
      entries[group]?.torrents += 1
    }
    return group
  }

  /// One torrent of the group is gone.
  mutating func remove(_ group: PrivateGroup) {
    guard let entry = entries[group] else { return }
    entries[group]?.torrents -= 1
    guard entry.torrents == 1 else { return }
    entries[group] = nil
    refresh()
  }

  private mutating func refresh() {
    order = Array(entries.keys)
    responder = PrivateResponder(order.compactMap { entries[$0]?.keys })
  }
}

/// Work that others make for us, so much a second and no more.
struct WorkBudget {
  private let perSecond: Double
  private let atOnce: Double
  private var left: Double
  private var last = Duration.zero

  init(perSecond: Int, atOnce: Int) {
    (self.perSecond, self.atOnce, left) = (Double(perSecond), Double(atOnce), Double(atOnce))
  }

  /// Takes it if something is left, however much it is; else says how long until then.
  mutating func take(_ work: Int, now: Duration) -> Duration? {
    let (seconds, attoseconds) = max(now - last, .zero).components
    left = min(atOnce, left + perSecond * (Double(seconds) + Double(attoseconds) / 1e18))
    last = now
    if left > 0 {
      left -= Double(work)
      return nil
    }
    return .seconds((1 - left) / perSecond)
  }
}

/// The clock that the first messages of private connections tell.
enum UnixClock {
  /// Seconds since 1970, UTC.
  static var now: UInt64 { UInt64(max(0, time(nil))) }
}
