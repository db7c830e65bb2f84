import Glibc
import Metainfo
import Swarm
import SwarmNode

/// What a session knows of the world around its torrent: how others are found, the dataset that it is of,
/// and the folder that it was published from.
///
/// Belongs to the loop's thread.
final class MemberSurroundings {
  private let loop: EventLoop
  private let dataset: DatasetKey?
  private let headPath: [UInt8]?
  private let teller: any Teller
  private var published: Member.Published?
  private var folder: FolderWatch?

  init(on loop: EventLoop, dataset: DatasetKey?, state: StateFolder?, teller: any Teller) {
    self.loop = loop
    self.dataset = dataset
    self.teller = teller
    headPath = dataset.flatMap { state?.dataset($0).headPath }
  }

  /// From now on that folder is looked at, and no other.
  func watch(_ published: Member.Published?) {
    folder?.close()
    self.published = published
    folder = published.map { published in
      FolderWatch(on: loop, changes: published.changes, look: published.look) { [unowned self] in
        tell($0, of: published)
      }
    }
  }

  /// Time has passed.
  func tick() { folder?.tick() }

  /// Somebody has written to a file of it.
  func folderChanged() { folder?.hurry() }

  /// Looks at nothing any more.
  func close() { folder?.close() }

  /// How it is now.
  func current(of node: Node?) -> Surroundings {
    var now = Surroundings()
    now.discovery = node?.discoveryStatus
    if let dataset {
      var shown = Surroundings.Dataset(key: dataset)
      if let status = node?.status(of: dataset) {
        shown.version = status.head.map { UInt64(clamping: $0.version) }
        shown.isKeyUsedTwice = status.isKeyUsedTwice
        (shown.peers, shown.peersWithHead) = (status.peers, status.peersWithHead)
      }
      shown.headAge = shown.version == nil ? nil : headAge
      now.dataset = shown
    }
    if let published, let changes = folder?.changes, changes.count > 0 || changes.fault != nil {
      now.ahead = Surroundings.Ahead(
        version: published.version, count: changes.count,
        // Of a single file the path below the content is empty.
        files: changes.first.map { printable($0.isEmpty ? published.path : $0) },
        fault: changes.fault)
    }
    return now
  }

  /// Seconds since the newest head was kept; nil when there is none, or the clock says otherwise.
  private var headAge: UInt64? {
    guard let headPath else { return nil }
    var status = stat()
    guard stat(headPath.map { CChar(bitPattern: $0) } + [0], &status) == 0 else { return nil }
    return UInt64(exactly: time(nil) - status.st_mtim.tv_sec)
  }

  private func tell(_ changes: FolderChanges, of published: Member.Published) {
    let path = printable(published.path)
    if let fault = changes.fault {
      teller.warn("\(fault); what is not there is not shared until it is back")
    } else if changes.count == 0 {
      teller.note("\(path) is the same as version \(published.version) again")
    } else {
      let ahead = Surroundings.Ahead(
        version: published.version, count: changes.count,
        files: changes.first.map { printable($0.isEmpty ? published.path : $0) },
        fault: nil)
      teller.warn("\(path) is \(ahead.text); swarm publish \(path) publishes the change")
    }
  }
}
