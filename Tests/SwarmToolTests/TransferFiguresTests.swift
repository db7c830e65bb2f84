import Swarm
import Testing

@testable import SwarmTool

@Suite struct TransferFiguresTests {
  static let downloading: TransferFigures = {
    var figures = TransferFigures()
    (figures.wantedBytes, figures.doneBytes) = (3 << 30, 1449 << 20)
    (figures.downloadRate, figures.uploadRate) = (66 << 20, 2 << 20)
    (figures.peers, figures.seeds, figures.knownPeers) = (8, 3, 12)
    return figures
  }()

  @Test(arguments: [
    (100, "47 %  1.42 GiB of 3 GiB  down 66 MiB/s  up 2 MiB/s  8 peers (3 seeds)  0:25 left"),
    (80, "47 %  1.42 GiB of 3 GiB  down 66 MiB/s  8 peers (3 seeds)  0:25 left"),
    (60, "47 %  1.42 GiB of 3 GiB  down 66 MiB/s  0:25 left"),
    (40, "47 %  1.42 GiB of 3 GiB  down 66 MiB/s"), (30, "47 %  down 66 MiB/s"), (10, "47 %"),
    (4, "47 "), (1, ""),
  ])
  func whatFitsIsShown(width: Int, text: String) {
    #expect(Self.downloading.lines(width: width) == [text])
  }

  @Test(arguments: 0...200)
  func neverWiderThanTheTerminal(width: Int) {
    for waiting in Self.allWaiting {
      for known in [0, 1, 20] {
        var figures = Self.downloading
        (figures.waiting, figures.knownPeers) = (waiting, known)
        #expect(figures.lines(width: width).allSatisfy { $0.count < max(width, 1) })
        figures.wantedBytes = 0
        #expect(figures.lines(width: width).allSatisfy { $0.count < max(width, 1) })
      }
    }
  }

  static let allWaiting: [TorrentStatus.Waiting] = [
    .nothing, .checking, .peers, .connections, .metadata, .choked, .availability, .disk, .stopping,
  ]

  @Test func waitingSaysWhatCanBeDone() {
    var figures = Self.downloading
    (figures.waiting, figures.knownPeers) = (.peers, 0)
    #expect(
      figures.lines(width: 100).last
        == "waiting for a peer: none is known; name one with --peer HOST:PORT")
    figures.knownPeers = 1
    #expect(figures.waitingText == "waiting for a peer: 1 peer known, none answers; trying again")
    figures.isLonely = true
    #expect(figures.waitingText?.contains("swarm doctor") == true)
    (figures.knownPeers, figures.refusingPeers) = (3, 1)
    #expect(figures.waitingText?.contains("1 of them answering and not sharing this") == true)
    figures.knownPeers = 1
    #expect(
      figures.waitingText
        == "waiting for a peer: 1 peer answers and does not share this; trying again. Is the link right and complete, "
        + "and is it still shared there?")
    (figures.knownPeers, figures.refusingPeers) = (0, 0)
    #expect(figures.waitingText?.contains("check the link") == true)
    // All of it is seen on a small terminal.
    let shown = figures.lines(width: 60).dropFirst().joined(separator: " ")
    #expect(shown == figures.waitingText)
    figures.isFinished = true
    #expect(figures.waitingText == nil)
    for waiting in Self.allWaiting where waiting != .nothing {
      figures = Self.downloading
      figures.waiting = waiting
      #expect(figures.plainLine.contains("; ") && figures.lines(width: 80).count == 2)
      // A seed waits for nobody.
      figures.onlySeeds = true
      #expect(figures.plainLine.hasPrefix("seeding"))
    }
  }

  @Test func neverAHundredPerCentBeforeTheEnd() {
    var figures = TransferFigures()
    #expect(figures.percent == 0)
    figures.wantedBytes = .max
    figures.doneBytes = .max
    #expect(figures.percent == 99)
    figures.isFinished = true
    #expect(figures.percent == 100)
  }

  @Test func timeLeftIsRoundedUp() {
    var figures = TransferFigures()
    #expect(figures.secondsLeft == nil)
    (figures.wantedBytes, figures.doneBytes, figures.downloadRate) = (101, 0, 10)
    #expect(figures.secondsLeft == 11)
    figures.doneBytes = 200
    #expect(figures.secondsLeft == 0)
    (figures.wantedBytes, figures.doneBytes, figures.downloadRate) = (.max, 0, .max)
    #expect(figures.secondsLeft == 1)
  }

  @Test func aSeedShowsWhatItGives() {
    var figures = TransferFigures()
    (figures.wantedBytes, figures.doneBytes, figures.isFinished) = (3 << 30, 3 << 30, true)
    (figures.uploadedBytes, figures.uploadRate, figures.peers) = (5 << 30, 1 << 20, 1)
    #expect(figures.plainLine == "seeding 3 GiB  up 1 MiB/s  sent 5 GiB  1 peer")
  }

  @Test func theEventIsOneLine() {
    #expect(
      JSON.object(Self.downloading.json).line == """
        {"event": "status", "done": 1519386624, "wanted": 3221225472, "finished": false, \
        "downloaded": 0, "uploaded": 0, "wasted": 0, "download_saved": 0, \
        "upload_saved": 0, "compressing_peers": 0, "download_rate": 69206016, \
        "upload_rate": 2097152, "peers": 8, "seeds": 3, "private_dataset": false, "encrypted_peers": 0, \
        "connecting": 0, "known_peers": 12, "seconds_left": 25, "waiting": null, \
        "reads": null}
        """)
    #expect(JSON.list([.object([]), .list([]), .text("a\nb")]).line == #"[{}, [], "a\nb"]"#)
  }
}
