  function load() {  // plotly.js, once a page: from the book's own folder, or elsewhere from the net
    if (window.Plotly) return Promise.resolve();
    const book = document.documentElement.dataset.content_root;  // the way to the top, in all pages made by Sphinx
    window.labkitPlotly ||= new Promise((done, failed) => {
      window.PlotlyConfig = {MathJaxConfig: "local"};
      const script = document.createElement("script");
      script.src = book === undefined ? given.net : `${book}_static/${given.script}`;
      script.onload = done;
      script.onerror = () => { window.labkitPlotly = undefined; failed(); };
      document.head.append(script);
    });
    return window.labkitPlotly;
  }
