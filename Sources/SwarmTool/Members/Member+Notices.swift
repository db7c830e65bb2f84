import Metainfo
import Swarm
import SwarmNode
import Wire

/// What the node tells, passed on to people and programs.
extension Member {
  /// Whether the torrent is one of the member's: what is told of it is for this member.
  func owns(_ torrent: TorrentID) -> Bool {
    torrent == self.torrent || torrent == meeting || besides.contains { $0.torrent == torrent }
      || plan.search?.versions.owns(torrent) == true
  }

  /// Piece layers of a torrent came.
  func take(_ layers: PieceLayers, of torrent: TorrentID) {
    if torrent == self.torrent { subject?.keep(layers) }
  }

  func take(_ notice: Notice) {
    if case .closed(let torrent) = notice { closed(torrent) }
    if let search = plan.search?.versions {
      search.take(notice)
      if let about = notice.torrent, search.owns(about) { return }
    }
    if let about = notice.torrent, about != torrent, torrent != nil { return }
    switch notice {
    case .metadata: tellMetadata()
    case .unusable(_, let reason): fail("the torrent cannot be used: \(reason)")
    case .opened: opened()
    case .finished: finished()
    case .peerConnected(_, _, let endpoint): tellPeer("connected", endpoint, nil)
    case .peerGone(_, _, let endpoint, let end): tellPeer("gone", endpoint, end.text)
    case .banned(_, let endpoint, let reason):
      tellPeer("banned", endpoint, reason)
      teller.warnPeople("the peer \(endpoint) lied and is banned: \(reason)")
    case .lost(_, let blocks):
      warn(
        "\(Quantity.count(blocks, "block")) on disk \(blocks == 1 ? "has" : "have") changed, and "
          + "\(blocks == 1 ? "is" : "are") no longer used")
    case .changed(_, let file):
      surroundings.folderChanged()
      changedFiles.add(path(of: file), now: .now)
    case .contradiction(_, let file):
      warn("\(path(of: file)): the torrent's v1 and v2 descriptions contradict each other")
    case .diskFull(_, let failure):
      if !isDiskFull { teller.warn("\(failure); waiting for room") }
      isDiskFull = true
    case .diskHasRoom:
      if isDiskFull { teller.note("there is room on the disk again") }
      isDiskFull = false
    case .diskFailed(_, let failure):
      if !isOver, !isRestarting { warn("\(failure)") }
    case .head(_, let item): if let newer = try? Head(item) { take(newer) }
    case .keyUsedTwice(let key, let number):
      teller.event(
        "key_used_twice", [("dataset_key", .text(key.hex)), ("number", .number(UInt64(number)))])
      warn(
        "there are two versions \(number) of \(key), both signed by it: its key is used twice; the one "
          + "that came first is followed")
    case .dhtNode: break
    case .closed(let torrent):
      if isRestarting, torrent == self.torrent, !isOver {
        isRestarting = false
        start()
      }
    }
  }

  /// Says in one line which files were changed since the last time: there may be thousands at once.
  func tellChangedFiles() {
    guard let text = changedFiles.take() else { return }
    teller.warn(text + plan.changeAdvice)
  }

  /// From now on it is looked at whether all of it stays where it is.
  private func watchContent() {
    guard let info, let subject, let path = subject.content() else { return }
    let request = subject.request()
    if request.reading.isSparse { return }
    contentWatch?.end()
    contentWatch = ContentWatch(
      on: host.loop, info, at: path, wanted: request.wanted, teller: teller)
  }

  private func path(of file: FileIndex) -> String {
    guard let info, Int(file.rawValue) < info.files.count else { return "a file" }
    return info.files[Int(file.rawValue)].path.description
  }

  private func tellMetadata() {
    guard let info else { return }
    teller.event(
      "metadata",
      InfoSummary(info).json + [
        ("path", .text(orNull: (subject?.content()).flatMap { $0 }.map { printable($0) }))
      ])
  }

  private func tellPeer(_ what: String, _ endpoint: PeerEndpoint, _ reason: String?) {
    teller.event(
      "peer",
      [
        ("state", .text(what)), ("address", .text("\(endpoint)")),
        ("reason", .text(orNull: reason)),
      ])
    if tellsOfPeers, what != "banned" {
      teller.note("peer \(endpoint) \(what)" + (reason.map { ": \($0)" } ?? ""))
    }
  }

  private func opened() {
    host.canBeRead(self)
    guard let recheck = subject?.recheck else { return }
    host.loop.perform(recheck) { [weak self] fault in if let fault { self?.fail(fault) } }
  }

  private func finished() {
    guard !isOver, !plan.isSeed else { return }
    updateFigures()
    let place = (subject?.content()).flatMap { $0 }.map { printable($0) }
    teller.event(
      "finished", [("path", .text(orNull: place)), ("done", .number(figures.doneBytes))])
    do {
      try teller.result("complete: \(place ?? "") (\(Quantity.bytes(figures.doneBytes)))")
    } catch {
      fail(error.message)
    }
    do { try subject?.onFinished() } catch { warn(Self.text(of: error)) }
    watchContent()
    removeSuperfluous()
    complete()
  }
}

extension Notice {
  /// The torrent that it is about; nil where it is about none.
  var torrent: TorrentID? {
    switch self {
    case .metadata(let torrent), .unusable(let torrent, _), .opened(let torrent),
      .finished(let torrent), .peerConnected(let torrent, _, _), .banned(let torrent, _, _),
      .lost(let torrent, _), .changed(let torrent, _), .contradiction(let torrent, _),
      .diskFull(let torrent, _), .diskHasRoom(let torrent), .diskFailed(let torrent, _),
      .closed(let torrent):
      torrent
    case .peerGone(let torrent, _, _, _): torrent
    case .head, .keyUsedTwice, .dhtNode: nil
    }
  }
}
