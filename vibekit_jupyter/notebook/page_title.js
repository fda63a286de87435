// Says in the title of a page that nobody looks at that a run has ended, until somebody does.

function initialize({ model }) {
  const words = `${model.get("words")} · `;
  if (document.visibilityState === "hidden") {
    const title = document.querySelector("title");
    const say = () => {
      if (!document.title.includes(words)) document.title = words + document.title;
    };
    // JupyterLab writes the title anew, for instance after it has saved the notebook.
    const anew = new MutationObserver(say);
    const back = () => {
      if (document.visibilityState === "hidden") return;
      document.removeEventListener("visibilitychange", back);
      anew.disconnect();
      document.title = document.title.replace(words, "");
    };
    say();
    anew.observe(title, { childList: true });
    document.addEventListener("visibilitychange", back);
  }
  model.send({ told: true });
}

export default { initialize };
