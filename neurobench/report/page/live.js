/* ---- served by `neurobench report --serve`: the same page, drawn anew where a run has gone on ---- */
let known = "";
async function follow() {
  const foot = document.getElementById("foot");
  try {
    const answer = await fetch("/data.json", known ? { headers: { "If-None-Match": known } } : {});
    if (answer.status === 200) {
      known = answer.headers.get("ETag");
      read(await answer.json());
      show(true);
    }
    foot.textContent = `neurobench ${DATA.version}, ${RUNS.length.toLocaleString("en")} runs, as of now`;
  } catch {
    foot.textContent = "The server of this page has gone: what is shown may be out of date.";
  }
  setTimeout(follow, 2000);
}
follow();
